"""Measures holdfast.runtime.health beside its peers, in one run: `python -m tools.bench_health [--rounds 9]`.

Every figure is the median of the rounds, the candidates taking turns within a round, so that a busy machine is busy for all of them.
Nothing goes over a socket: ours is asked through its ASGI app, the peers by the function that their routers call (fast-healthchecks:
run_probe; py-healthcheck: HealthCheck.run, which is plain and asks one check after the other).  Peers that are not installed are
named and left out; `bench` among the optional dependencies pins them.

| row | what is measured |
|---|---|
| simultaneous | 1,000 probes of 10 checks at the same moment, nothing cached: calls of the most called check, and the 99th percentile of how long a probe took, in ms |
| one hung | 10 checks of which one hangs: the answer's time beyond that one's limit of 0.3 s, in ms |
| cached | a probe of 10 checks while their results are fresh, in microseconds; the peers without a cache ask the checks anew |
"""  # noqa: E501 - a table

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from holdfast.runtime.health import Check, Health, HealthApp

PEERS = ("fast-healthchecks", "py-healthcheck")
PROBES, CHECKS, LIMIT_S = 1000, 10, 0.3
GOALS = {
    "simultaneous, calls": "1", "simultaneous, p99 ms": "20", "one hung, ms beyond its limit": "50", "cached, us": "30",
}
Probe = Callable[[], Awaitable[Any]]


class Counted:
    """A coroutine check that lets others run once, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self) -> bool:
        self.calls += 1
        await asyncio.sleep(0)
        return True


async def hangs() -> bool:
    await asyncio.Event().wait()
    return True


def asked(app: HealthApp, path: str, *headers: tuple[bytes, bytes]) -> Probe:
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": list(headers)}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    return lambda: app(scope, receive, send)


def ours(checks: list[Any], path: str = "/readyz", **settings: Any) -> Probe:
    health = Health("bench")
    health.add(*(Check(f"c{number}", check, timeout_s=LIMIT_S, ttl_s=60.0) for number, check in enumerate(checks)))
    return asked(HealthApp(health, **settings), path)


def fast_healthchecks(checks: list[Any]) -> Probe:
    from fast_healthchecks.checks.function import FunctionHealthCheck
    from fast_healthchecks.execution import Probe as Theirs
    from fast_healthchecks.execution import run_probe

    # Its functions are called with `args` and `kwargs`, and an object with an async __call__ is known as one.
    made = [FunctionHealthCheck(func=check, name=f"c{number}", timeout=LIMIT_S) for number, check in enumerate(checks)]
    probe = Theirs(name="readiness", checks=made)
    return lambda: run_probe(probe)


async def simultaneous(make: Callable[[list[Any]], Probe]) -> tuple[float, float]:
    checks = [Counted() for _ in range(CHECKS)]
    probe = make(checks)
    took_s: list[float] = []

    async def one() -> None:
        began_s = time.perf_counter()
        await probe()
        took_s.append(time.perf_counter() - began_s)

    await asyncio.gather(*(one() for _ in range(PROBES)))
    return float(max(check.calls for check in checks)), statistics.quantiles(took_s, n=100)[98] * 1e3


async def one_hung(make: Callable[[list[Any]], Probe]) -> float:
    probe = make([*(Counted() for _ in range(CHECKS - 1)), hangs])
    began_s = time.perf_counter()
    await probe()
    return (time.perf_counter() - began_s - LIMIT_S) * 1e3


async def cached_us(probe: Probe, probes: int) -> float:
    await probe()
    began_s = time.perf_counter()
    for _ in range(probes):
        await probe()
    return (time.perf_counter() - began_s) / probes * 1e6


def plain_cached_us(probes: int) -> float:
    from healthcheck import HealthCheck

    health = HealthCheck()
    for number in range(CHECKS):
        def check() -> tuple[bool, str]:
            return True, "fine"

        check.__name__ = f"c{number}"
        health.add_check(check)
    health.run()
    began_s = time.perf_counter()
    for _ in range(probes):
        health.run()
    return (time.perf_counter() - began_s) / probes * 1e6


def measure(rounds: int, probes: int) -> dict[str, Any]:
    there = {peer: importlib.util.find_spec(module) is not None
             for peer, module in (("fast-healthchecks", "fast_healthchecks"), ("py-healthcheck", "healthcheck"))}
    makers: dict[str, Callable[[list[Any]], Probe]] = {"holdfast": ours}
    if there["fast-healthchecks"]:
        makers[_named("fast-healthchecks")] = fast_healthchecks
    seen: dict[tuple[str, str], list[float]] = {}

    def note(row: str, who: str, value: float) -> None:
        seen.setdefault((row, who), []).append(value)

    for number in range(rounds + 1):  # the first one warms up
        for who, make in makers.items():
            calls, p99_ms = asyncio.run(simultaneous(make))
            hung_ms = asyncio.run(one_hung(make))
            us = asyncio.run(cached_us(make([Counted() for _ in range(CHECKS)]), probes if make is ours else probes // 20))
            if number:
                for row, value in zip(GOALS, (calls, p99_ms, hung_ms, us), strict=True):
                    note(row, who, value)
        checks: list[Any] = [Counted() for _ in range(CHECKS)]
        for who, settings in (("holdfast, health+json", {}), ("holdfast, all details", {"details": True})):
            us = asyncio.run(cached_us(ours(checks, "/health", **settings), probes // 4))
            if number:
                note("cached, us", who, us)
        if there["py-healthcheck"] and number:
            note("cached, us", _named("py-healthcheck"), plain_cached_us(probes // 4))
    rows = [
        {"row": row, "who": who, "median": round(statistics.median(values), 3), "least": round(min(values), 3),
         "greatest": round(max(values), 3), "goal": GOALS[row] if who == "holdfast" else ""}
        for row in GOALS for (of, who), values in seen.items() if of == row
    ]
    missing = [peer for peer in PEERS if not there[peer]]
    return {"python": sys.version.split()[0], "rounds": rounds, "rows": rows, "missing": missing}


def _named(peer: str) -> str:
    try:
        return f"{peer} {version(peer)}"
    except PackageNotFoundError:
        return peer


def shown(found: dict[str, Any]) -> str:
    lines = [f"medians of {found['rounds']} rounds, Python {found['python']}", ""]
    lines += [f"{'':32}{'':28}{'median':>10}{'least':>10}{'greatest':>10}{'goal':>7}"]
    lines += [
        f"{row['row']:32}{row['who']:28}{row['median']:10.3f}{row['least']:10.3f}{row['greatest']:10.3f}{row['goal']:>7}"
        for row in found["rows"]
    ]
    lines += [f"{peer} is not installed" for peer in found["missing"]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="at least 5")
    parser.add_argument("--probes", type=int, default=20_000, help="cached ones, per round")
    parser.add_argument("--calls", type=int, help=argparse.SUPPRESS)  # of the other benchmarks, which share their arguments
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measure(max(5, chosen.rounds), max(1000, chosen.probes))
    sys.stdout.write((json.dumps(found, indent=2) if chosen.json else shown(found)) + "\n")


if __name__ == "__main__":
    main()
