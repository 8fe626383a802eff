"""What the policies cost on a call that succeeds at once, beside pinned peers: ratios to a bare call, in one process.

python tools/bench_policies.py --venv FOLDER     makes the folder with the peers if need be, and measures there
python tools/bench_policies.py                   measures with the peers that are installed here

Rules: every candidate is measured once per round, beside a bare call of the same round; the median over the rounds is what
counts, and the least and the greatest stand beside it.  Nothing here decides whether a goal is met.
"""

import argparse
import asyncio
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src"
PEERS = {"tenacity": "9.2.1", "stamina": "26.1.0", "interlock-cb": "2.8.2", "hyx": "0.0.2"}
MODULES = {"interlock-cb": "interlock"}

Candidate = tuple[str, str, Callable[..., Any]]


def work(x: int) -> int:
    return x


async def awork(x: int) -> int:
    return x


def ours() -> Iterator[Candidate]:
    """Group, name, function.  A group starts with its bare call."""
    from holdfast.runtime import Bulkhead, CircuitBreaker, Pipeline, Retry, RetryBudget

    retry, breaker, bulkhead = Retry(), CircuitBreaker("bench"), Bulkhead(10)
    whole = Pipeline(retry, breaker, bulkhead)
    yield "retry, plain", "holdfast", retry(work)
    yield "retry, plain", "holdfast, with a budget", Retry(budget=RetryBudget())(work)
    yield "retry, plain", "holdfast, retry.call", lambda x: retry.call(work, x)
    yield "retry, async", "holdfast", retry(awork)
    yield "retry + breaker + bulkhead, plain", "holdfast", whole(work)
    yield "retry + breaker + bulkhead, plain", "holdfast, pipeline.call", lambda x: whole.call(work, x)
    yield "retry + breaker + bulkhead, async", "holdfast", whole(awork)


def others() -> Iterator[Candidate]:
    """The rest of ours, for which no peer stands."""
    from holdfast.runtime import AIMD, AdaptiveLimiter, Balancer, Bulkhead, Fallback, RateLimiter, Throttle, Timeout, TwoChoices

    group = "one policy, plain"
    yield group, "Bulkhead", Bulkhead(10)(work)
    yield group, "Timeout", Timeout(5)(work)
    yield group, "Fallback", Fallback(0, on=OSError)(work)
    yield group, "RateLimiter", RateLimiter(1e9, burst=1_000_000)(work)
    yield group, "AdaptiveLimiter", AdaptiveLimiter(AIMD(latency_s=1))(work)
    yield group, "Throttle", Throttle()(work)
    yield group, "Balancer, two choices of 10", Balancer(range(10), choice=TwoChoices())(lambda address, x: x)


def peers() -> Iterator[Candidate]:
    if importlib.util.find_spec("tenacity"):
        import tenacity

        times = tenacity.stop_after_attempt(3)
        yield "retry, plain", "tenacity", tenacity.retry(stop=times)(work)
        yield "retry, async", "tenacity", tenacity.retry(stop=times)(awork)
    if importlib.util.find_spec("stamina"):
        import stamina

        yield "retry, plain", "stamina", stamina.retry(on=ConnectionError)(work)
        yield "retry, async", "stamina", stamina.retry(on=ConnectionError)(awork)
    if importlib.util.find_spec("interlock"):
        from interlock import BulkheadStrategy, CircuitBreaker, CircuitBreakerStrategy, Pipeline
        from interlock.integrations.tenacity import RetryStrategy

        def whole() -> Any:
            return Pipeline(RetryStrategy(attempts=3), CircuitBreakerStrategy(CircuitBreaker(name="bench")), BulkheadStrategy(10))

        plain, tasks = whole(), whole()
        yield "retry + breaker + bulkhead, plain", "interlock-cb (retries by tenacity)", lambda x: plain.call(work, x)
        yield "retry + breaker + bulkhead, async", "interlock-cb (retries by tenacity)", lambda x: tasks.call(awork, x)
    if importlib.util.find_spec("hyx"):
        from hyx.bulkhead import bulkhead
        from hyx.circuitbreaker import consecutive_breaker
        from hyx.retry import retry

        yield "retry, async", "hyx", retry(attempts=3)(awork)
        stacked = retry(attempts=3)(consecutive_breaker()(bulkhead(max_concurrency=10, max_capacity=20)(awork)))
        yield "retry + breaker + bulkhead, async", "hyx", stacked


def plain_ns(function: Callable[..., Any], calls: int) -> float:
    steps = range(calls)
    began_s = time.perf_counter()
    for _ in steps:
        function(1)
    return (time.perf_counter() - began_s) / calls * 1e9


def async_ns(function: Callable[..., Any], calls: int) -> float:
    async def main() -> float:
        steps = range(calls)
        began_s = time.perf_counter()
        for _ in steps:
            await function(1)
        return (time.perf_counter() - began_s) / calls * 1e9

    return asyncio.run(main())


def measured(candidates: list[Candidate], rounds: int, calls: int) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Per candidate and round: nanoseconds, and nanoseconds of the bare call of that round."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(rounds + 1):  # the first one warms up
        bare = {"plain": plain_ns(work, calls), "async": async_ns(awork, calls)}
        for group, name, function in candidates:
            kind = group.rsplit(", ", 1)[1]
            # The peers take a hundred times longer: fewer calls are enough for the same precision.
            took_ns = (plain_ns if kind == "plain" else async_ns)(function, max(1000, calls // 10))
            if number:
                found.setdefault((group, name), []).append((took_ns, bare[kind]))
    return found


def show(found: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
    groups = dict.fromkeys(group for group, _ in found)
    for group in groups:
        print(f"\n{group:46} {'ns':>9} {'least':>9} {'greatest':>9} {'x bare':>8}")
        for (of, name), rounds in found.items():
            if of == group:
                times = [took for took, _ in rounds]
                ratio = statistics.median(took / bare for took, bare in rounds)
                print(f"  {name:44} {statistics.median(times):9.0f} {min(times):9.0f} {max(times):9.0f} {ratio:8.1f}")


def in_venv(folder: Path, arguments: list[str]) -> int:
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pins = [f"{name}=={version}" for name, version in PEERS.items()]
        subprocess.run([python, "-m", "pip", "install", "-q", *pins], check=True)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run([python, __file__, *arguments], env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", type=Path, help="folder of a virtual environment for the peers")
    parser.add_argument("--rounds", type=int, default=7, help="at least 5")
    parser.add_argument("--calls", type=int, default=200_000, help="per round")
    chosen = parser.parse_args()
    if chosen.rounds < 5 or chosen.calls < 1000:
        parser.error("--rounds must be at least 5 and --calls at least 1000")
    if chosen.venv:
        return in_venv(chosen.venv, ["--rounds", str(chosen.rounds), "--calls", str(chosen.calls)])
    for name, version in PEERS.items():
        here = importlib.util.find_spec(MODULES.get(name, name)) and importlib.metadata.version(name)
        print(f"{name} {here or 'is not installed'}" + (f", not the pinned {version}" if here and here != version else ""))
    python = platform.python_version()
    print(f"Python {python}, medians over {chosen.rounds} rounds, {chosen.calls} bare calls each, a tenth of others")
    bare: list[Candidate] = [("bare, plain", "function", work), ("bare, async", "coroutine", awork)]
    candidates = [*bare, *ours(), *peers(), *others()]
    groups = dict.fromkeys(group for group, _, _ in candidates)
    in_groups = [candidate for group in groups for candidate in candidates if candidate[0] == group]
    show(measured(in_groups, chosen.rounds, chosen.calls))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(SOURCE))
    raise SystemExit(main())
