"""The adapters against the real clients, and the shared breaker against a real Redis."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError

QUICK = BreakerSettings(
    window_calls=4, min_calls=2, open_s=0.3, open_growth=2.0, open_jitter=0.0, trials=3, trials_at_once=2, half_open_at_most_s=1.0
)


def down() -> None:
    raise ConnectionError


async def adown() -> None:
    raise ConnectionError


def used_breaker() -> CircuitBreaker:
    breaker = CircuitBreaker("db", QUICK)
    breaker.call(int)
    with pytest.raises(ConnectionError):
        breaker.call(down)
    with pytest.raises(CircuitOpenError):
        breaker.call(int)
    return breaker


def test_prometheus_shows_state_and_calls() -> None:
    prometheus = pytest.importorskip("prometheus_client")
    from holdfast.runtime.extras.breaker_prometheus import BreakerCollector

    registry = prometheus.CollectorRegistry()
    registry.register(BreakerCollector(lambda: [used_breaker(), CircuitBreaker("idle")]))
    page = prometheus.generate_latest(registry).decode()
    for line in (
        'holdfast_breaker_state{breaker="db",state="open"} 1.0', 'holdfast_breaker_state{breaker="idle",state="closed"} 1.0',
        'holdfast_breaker_calls_total{breaker="db",outcome="failure"} 1.0',
        'holdfast_breaker_calls_total{breaker="db",outcome="rejected"} 1.0', 'holdfast_breaker_opened_total{breaker="db"} 1.0',
    ):  # fmt: skip
        assert line in page.splitlines(), page


def test_opentelemetry_collects_state_and_calls() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.metrics")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    from holdfast.runtime.extras.breaker_opentelemetry import observe

    reader = export.InMemoryMetricReader()
    breaker = used_breaker()
    observe(sdk.MeterProvider(metric_readers=[reader]).get_meter("test"), lambda: [breaker])
    metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    found = {
        (metric.name, point.attributes.get("outcome") or point.attributes.get("state", "")): point.value
        for metric in metrics for point in metric.data.data_points
    }  # fmt: skip
    assert found["holdfast.breaker.state", "open"] == 1
    assert found["holdfast.breaker.state", "closed"] == 0
    assert found["holdfast.breaker.calls", "success"] == found["holdfast.breaker.calls", "failure"] == 1
    assert found["holdfast.breaker.opened", ""] == 1
    assert ("holdfast.breaker.failure_rate", "") not in found


@contextmanager
def redis_at(port: int, folder: Path) -> Iterator[None]:
    redis = pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on PATH: the shared breaker is not tested against a real one")
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)], stdout=subprocess.DEVNULL
    )
    try:
        with redis.Redis(port=port) as client:
            for _ in range(100):
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
        yield
    finally:
        server.kill()
        server.wait(10)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    with redis_at(port, tmp_path):
        yield port


def shared(port: int, settings: BreakerSettings = QUICK) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from holdfast.runtime.extras.breaker_redis import SharedBreaker

    # The client's own retries would make a call last seconds when Redis is away.
    client = redis.Redis(port=port, socket_timeout=0.5, retry=Retry(NoBackoff(), 0))
    return SharedBreaker(CircuitBreaker("db", settings), client, refresh_s=0.0, away_s=0.2)


def trip(breaker: Any) -> None:
    for _ in range(2):
        with pytest.raises(ConnectionError):
            breaker.call(down)


def test_when_one_process_opens_the_breaker_it_is_open_for_all(redis_port: int) -> None:
    one, other = shared(redis_port), shared(redis_port)
    trip(one)
    with pytest.raises(CircuitOpenError) as refusal:
        other.call(int)
    assert 0 < refusal.value.retry_after_s <= 0.3
    assert other.local.state == "open"
    time.sleep(0.35)
    assert [one.call(int), other.call(int), one.call(int)] == [0, 0, 0]
    assert (one.call(int), other.call(int)) == (0, 0)
    assert (one.local.state, other.local.state) == ("closed", "closed")


def test_failed_trials_open_it_for_all_for_longer(redis_port: int) -> None:
    one, other = shared(redis_port), shared(redis_port)
    trip(one)
    time.sleep(0.35)
    for breaker in (one, other):
        with pytest.raises(ConnectionError):
            breaker.call(down)
    for breaker in (one, other):
        with pytest.raises(CircuitOpenError) as refusal:
            breaker.call(int)
        assert 0.4 < refusal.value.retry_after_s <= 0.6


async def _many_trials(port: int) -> tuple[int, int]:
    from redis import asyncio as redis

    from holdfast.runtime.extras.breaker_redis import AsyncSharedBreaker

    clients = [redis.Redis(port=port) for _ in range(4)]
    breakers = [AsyncSharedBreaker(CircuitBreaker("db", QUICK), client, refresh_s=0.0) for client in clients]
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await breakers[0].acall(adown)
    await asyncio.sleep(0.35)
    inside = most = refused = 0
    herd_is_away = asyncio.Event()

    async def work() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await herd_is_away.wait()  # a trial that ended sooner would prove nothing
        inside -= 1

    async def call(number: int) -> None:
        nonlocal refused
        try:
            await breakers[number % 4].acall(work)
        except CircuitOpenError:
            refused += 1
        if refused >= 38:
            herd_is_away.set()

    async with asyncio.timeout(20.0):
        await asyncio.gather(*(call(number) for number in range(40)))
    for client in clients:
        await client.aclose()
    return most, refused


def test_trials_are_counted_for_all_processes_together_with_the_async_client(redis_port: int) -> None:
    assert asyncio.run(_many_trials(redis_port)) == (2, 38)


async def _a_cancelled_trial(port: int) -> Any:
    from redis import asyncio as redis

    from holdfast.runtime.extras.breaker_redis import AsyncSharedBreaker

    client = redis.Redis(port=port)
    breaker = AsyncSharedBreaker(CircuitBreaker("db", QUICK.replace(trials=1, trials_at_once=1)), client, refresh_s=0.0)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await breaker.acall(adown)
    await asyncio.sleep(0.35)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await breaker.acall(asyncio.sleep, 5)
    result = await breaker.acall(asyncio.sleep, 0, "through")
    await client.aclose()
    return result


def test_a_cancelled_trial_gives_its_slot_back_to_all(redis_port: int) -> None:
    assert asyncio.run(_a_cancelled_trial(redis_port)) == "through"


def test_a_hung_trial_does_not_wedge_it_for_all(redis_port: int) -> None:
    settings = QUICK.replace(trials=1, trials_at_once=1, half_open_at_most_s=0.2, open_growth=1.0)
    one, other = shared(redis_port, settings), shared(redis_port, settings)
    trip(one)
    time.sleep(0.35)
    one._carry(one._begin())  # a process that takes a trial and dies
    with pytest.raises(CircuitOpenError) as refusal:
        other.call(int)
    assert refusal.value.state == "half_open"
    time.sleep(0.55)
    assert other.call(int) == 0


def test_without_redis_it_goes_on_alone(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("redis")
    breaker = shared(free_port())
    with caplog.at_level(logging.WARNING):
        trip(breaker)
    assert "goes on alone" in caplog.text
    with pytest.raises(CircuitOpenError):
        breaker.call(int)
    time.sleep(0.35)
    assert breaker.call(int) == 0
    assert breaker.local.state == "half_open"


def test_what_opened_while_redis_was_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    with redis_at(port, tmp_path):
        pass  # to skip early when there is none
    long = QUICK.replace(open_s=3.0, open_at_most_s=10.0)
    one, other = shared(port, long), shared(port, long)
    trip(one)
    with redis_at(port, tmp_path):
        time.sleep(0.25)
        for breaker in (one, other):
            with pytest.raises(CircuitOpenError):
                breaker.call(int)
