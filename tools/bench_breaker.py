"""Measures the circuit breaker beside its peers, in one run: `python -m tools.bench_breaker [--rounds 9] [--calls 20000]
[--json]`.

Every figure is the median of the rounds, in nanoseconds per call without the loop around it, and as a ratio to a bare call of the
same kind.  The candidates take turns within a round, so that a busy machine is busy for all of them.  Peers that are not
installed are named and left out; `bench` among the optional dependencies pins them.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError

PEERS = ("pybreaker", "circuitbreaker", "aiobreaker", "purgatory", "hyx", "interlock-cb")
LONG_S = 1e6
Loop = Callable[[int], None]


def bare() -> int:
    return 1


async def abare() -> int:
    return 1


def sync_loop(function: Callable[[], Any]) -> Loop:
    def run(calls: int) -> None:
        for _ in range(calls):
            function()

    return run


def async_loop(function: Callable[[], Any]) -> Loop:
    async def run(calls: int) -> None:
        for _ in range(calls):
            await function()

    return lambda calls: asyncio.run(run(calls))


def with_loop(block: Any) -> Loop:
    def run(calls: int) -> None:
        for _ in range(calls):
            with block:
                pass

    return run


def async_with_loop(block: Any) -> Loop:
    async def run(calls: int) -> None:
        for _ in range(calls):
            async with block:
                pass

    return lambda calls: asyncio.run(run(calls))


def rejected_loop(function: Callable[[], Any], error: type[BaseException]) -> Loop:
    def run(calls: int) -> None:
        for _ in range(calls):
            try:
                function()
            except error:
                pass

    return run


def warm(breaker: CircuitBreaker) -> CircuitBreaker:
    for _ in range(breaker.settings.min_calls):
        breaker.call(bare)
    return breaker


def ours() -> dict[str, Loop]:
    plain, timed = warm(CircuitBreaker("plain")), warm(CircuitBreaker("timed", BreakerSettings(slow_call_s=5.0)))
    window = warm(CircuitBreaker("window", BreakerSettings(window_s=10.0)))
    opened = CircuitBreaker("open")
    opened.switch_to("open", for_s=LONG_S)
    return {
        "sync": sync_loop(plain(bare)),
        "async": async_loop(plain(abare)),
        "slow-call timing": sync_loop(timed(bare)),
        "window of time": sync_loop(window(bare)),
        "with": with_loop(plain),
        "async with": async_with_loop(plain),
        "rejection": rejected_loop(opened(bare), CircuitOpenError),
    }


def theirs(name: str) -> dict[str, Loop]:
    """Closed breakers of a peer in its own usual form.  ImportError when it is not installed."""
    if name == "pybreaker":
        return _pybreaker()
    if name == "circuitbreaker":
        circuit = importlib.import_module("circuitbreaker").circuit
        return {"sync": sync_loop(circuit(bare)), "async": async_loop(circuit(abare))}
    if name == "aiobreaker":
        breaker = importlib.import_module("aiobreaker").CircuitBreaker()
        return {"sync": sync_loop(breaker(bare)), "async": async_loop(breaker(abare))}
    if name == "purgatory":
        module = importlib.import_module("purgatory")
        return {
            "sync": sync_loop(module.SyncCircuitBreakerFactory()("peer")(bare)),
            "async": async_loop(module.AsyncCircuitBreakerFactory()("peer")(abare)),
        }
    if name == "hyx":
        breaker = importlib.import_module("hyx.circuitbreaker").consecutive_breaker
        return {"async": async_loop(breaker()(abare)), "async with": async_with_loop(breaker())}
    module = importlib.import_module("interlock")
    breaker = module.CircuitBreaker(name="peer")
    return {
        "sync": sync_loop(breaker(bare)), "async": async_loop(breaker(abare)), "with": with_loop(breaker),
        "async with": async_with_loop(breaker),
    }  # fmt: skip


def _pybreaker() -> dict[str, Loop]:
    module = importlib.import_module("pybreaker")
    closed, opened = module.CircuitBreaker(), module.CircuitBreaker(reset_timeout=LONG_S)
    opened.open()
    return {
        "sync": sync_loop(closed(bare)), "with": _calling_loop(closed),
        "rejection": rejected_loop(opened(bare), module.CircuitBreakerError),
    }  # fmt: skip


def _calling_loop(breaker: Any) -> Loop:
    def run(calls: int) -> None:
        for _ in range(calls):
            with breaker.calling():
                pass

    return run


def per_call_ns(loops: dict[tuple[str, str], Loop], rounds: int, calls: int) -> dict[tuple[str, str], float]:
    empty = sync_loop_cost(calls)
    seen: dict[tuple[str, str], list[float]] = {key: [] for key in loops}
    for loop in loops.values():
        loop(200)
    for _ in range(rounds):
        for key, loop in loops.items():
            began_s = time.perf_counter()
            loop(calls)
            seen[key].append((time.perf_counter() - began_s - empty) / calls * 1e9)
    return {key: statistics.median(values) for key, values in seen.items()}


def sync_loop_cost(calls: int) -> float:
    def empty() -> float:
        began_s = time.perf_counter()
        for _ in range(calls):
            pass
        return time.perf_counter() - began_s

    return statistics.median(empty() for _ in range(9))


def threads_ratio(rounds: int, calls: int) -> float:
    """Time of 8 threads that make all the calls together against one that makes them alone; 1.0 is no loss."""
    work = sync_loop(warm(CircuitBreaker("threads"))(bare))

    def in_threads(count: int) -> float:
        threads = [threading.Thread(target=work, args=(calls * 8 // count,)) for _ in range(count)]
        began_s = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began_s

    return statistics.median(in_threads(8) / in_threads(1) for _ in range(rounds))


def bytes_per_breaker(count: int = 1_000) -> float:
    """Of breakers in use, healthy, that share their settings, each with a name of its own."""
    settings = BreakerSettings()
    kept = []
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(count):
        kept.append(warm(CircuitBreaker(f"host-{number}", settings)))
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / count


def import_ms(rounds: int) -> tuple[float, float]:
    """Median of the import of the breaker in a fresh interpreter, and of `dataclasses` alone as a measure of the machine; both
    from bytecode, as after an installation, whatever PYTHONDONTWRITEBYTECODE says here."""
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def once(statement: str) -> float:
        script = f"import time; a = time.perf_counter(); {statement}; print((time.perf_counter() - a) * 1e3)"
        run = [sys.executable, "-c", script]
        return float(subprocess.run(run, capture_output=True, text=True, check=True, timeout=60, env=surroundings).stdout)

    statements = ("from holdfast.runtime import CircuitBreaker", "import dataclasses")
    for statement in statements:
        once(statement)  # leaves the bytecode behind
    ours_ms, measure_ms = (statistics.median(once(statement) for _ in range(rounds)) for statement in statements)
    return ours_ms, measure_ms


def measure(rounds: int, calls: int) -> dict[str, Any]:
    loops: dict[tuple[str, str], Loop] = {("a bare call", "sync"): sync_loop(bare), ("a bare call", "async"): async_loop(abare)}
    loops |= {("holdfast", style): loop for style, loop in ours().items()}
    missing = []
    for peer in PEERS:
        try:
            loops |= {(f"{peer} {version(peer)}", style): loop for style, loop in theirs(peer).items()}
        except (ImportError, PackageNotFoundError):
            missing.append(peer)
    figures = per_call_ns(loops, rounds, calls)
    base = {style: figures["a bare call", style] for style in ("sync", "async")}
    rows = [
        {"who": who, "style": style, "ns": round(ns, 1), "ratio": round(ns / base["async" if "async" in style else "sync"], 1)}
        for (who, style), ns in figures.items()
    ]
    import_in_ms, dataclasses_in_ms = import_ms(rounds)
    return {
        "python": sys.version.split()[0], "rounds": rounds, "calls": calls, "rows": rows, "missing": missing,
        "threads_8_against_1": round(threads_ratio(rounds, calls), 2), "bytes_per_breaker": round(bytes_per_breaker()),
        "import_ms": round(import_in_ms, 1), "import_of_dataclasses_ms": round(dataclasses_in_ms, 1),
    }  # fmt: skip


def shown(found: dict[str, Any]) -> str:
    lines = [f"medians of {found['rounds']} rounds of {found['calls']} calls, Python {found['python']}", ""]
    lines += [f"{'':24}{'':20}{'ns':>9}{'x bare':>9}"]
    lines += [f"{row['who']:24}{row['style']:20}{row['ns']:9.0f}{row['ratio']:9.1f}" for row in found["rows"]]
    lines += [f"{peer:24}not installed" for peer in found["missing"]]
    lines += [
        "",
        f"8 threads against 1      {found['threads_8_against_1']:.2f} x",
        f"memory per breaker       {found['bytes_per_breaker']} B",
        f"import                   {found['import_ms']} ms (dataclasses alone: {found['import_of_dataclasses_ms']} ms)",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(max(5, asked.rounds), asked.calls)
    sys.stdout.write((json.dumps(found, indent=2) if asked.json else shown(found)) + "\n")


if __name__ == "__main__":
    main()
