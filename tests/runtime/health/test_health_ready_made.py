"""The ready-made checks that need no client: of the process, the machine and the network."""

from __future__ import annotations

import asyncio
import os
import queue
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.runtime import BreakerSettings, CircuitBreaker
from holdfast.runtime.health import (
    BreakerState,
    Check,
    DiskSpace,
    Dns,
    EventLoopLag,
    Health,
    Memory,
    QueueDepth,
    Result,
    Tcp,
    TlsExpiry,
)
from holdfast.runtime.testing import FakeClock, switched


def said(check: Any) -> tuple[str, str, Any]:
    health = Health()
    health.add(Check("it", check, timeout_s=30))
    report = health.ask()["it"]
    return str(report.status), report.message, report.value


# --- of the process


@pytest.mark.parametrize(("state", "status"), [
    ("closed", "pass"), ("disabled", "pass"), ("metrics_only", "pass"), ("half_open", "warn"), ("open", "fail"),
    ("forced_open", "fail"),
])
def test_a_breaker_says_what_it_knows_of_its_callee(state: Any, status: str) -> None:
    breaker = CircuitBreaker("db", BreakerSettings(open_s=30))
    with switched(breaker, state):
        found = said(BreakerState(breaker))
    assert (found[0], found[2]) == (status, state)
    assert found[1].startswith(f"circuit breaker 'db' is {state.replace('_', ' ')}") or status == "pass"


def test_asking_a_breaker_makes_no_call_and_no_trial() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker("db", BreakerSettings(open_s=5), clock=clock)
    breaker.switch_to("open")
    clock.advance(60)
    assert said(BreakerState(breaker))[0] == "fail"
    assert breaker.snapshot().in_flight == 0


def test_the_lag_of_a_loop_is_the_worst_since_it_was_asked() -> None:
    clock = FakeClock()
    lag = EventLoopLag(warn_s=0.2, fail_s=5.0, every_s=0.1, clock=clock)
    assert "start()" in lag().message

    class Loop:
        def call_later(self, delay_s: float, callback: Any, *args: Any) -> Any:
            self.next = lambda: callback(*args)
            return self

        def cancel(self) -> None: ...

    loop = Loop()
    lag._tick(loop)  # type: ignore[arg-type]
    for late_s in (0.0, 0.5, 0.0):
        clock.advance(0.1 + late_s)
        loop.next()
    assert (lag().status, lag().value) == ("warn", 0.0)
    clock.advance(0.1 + 7)
    assert (lag().status, lag().value) == ("fail", 7.0), "seen while it is blocked"
    lag.stop()
    assert lag().status == "fail"


def test_a_healthy_loop_passes() -> None:
    async def main() -> str:
        lag = EventLoopLag(warn_s=20, fail_s=30, every_s=0.01)
        lag.start()
        await asyncio.sleep(0.05)
        health = Health()
        health.add(Check("loop", lag, kind=("liveness", "readiness")))
        return str((await health.aask("liveness")).status)

    assert asyncio.run(main()) == "pass"


@pytest.mark.parametrize(("entries", "status"), [(0, "pass"), (3, "warn"), (5, "fail"), (6, "fail")])
def test_the_depth_of_a_queue_has_two_limits(entries: int, status: str) -> None:
    jobs: queue.Queue[int] = queue.Queue()
    for number in range(entries):
        jobs.put(number)

    async def size() -> int:
        return jobs.qsize()

    for function in (jobs.qsize, size):
        assert said(QueueDepth(function, warn=3, fail=5))[::2] == (status, entries)


@pytest.mark.parametrize("nonsense", [None, "7", -1, float("nan"), True])
def test_a_depth_that_is_no_number_is_a_failure(nonsense: Any) -> None:
    status, message, _ = said(QueueDepth(lambda: nonsense, warn=3))
    assert (status, "the depth of the queue is" in message) == ("fail", True)


# --- of the machine


def test_a_disk_is_judged_by_blocks_and_by_inodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk(free: int, free_inodes: int) -> None:
        # f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail, f_flag, f_namemax
        seen = os.statvfs_result((4096, 4096, 1000, free, free, 1000, free_inodes, free_inodes, 0, 255))
        monkeypatch.setattr(os, "statvfs", lambda path: seen)

    assert said(DiskSpace(tmp_path, warn_percent=None, fail_percent=100.0))[0] == "pass"
    disk(500, 500)
    assert said(DiskSpace("/x"))[::2] == ("pass", 50.0)
    disk(100, 500)
    assert said(DiskSpace("/x")) == ("warn", "how much of /x is used, which is 90 %, the limit is 85", 90.0)
    disk(500, 10)
    assert said(DiskSpace("/x"))[::2] == ("fail", 99.0)
    disk(500, 500)
    assert said(DiskSpace("/x", least_free_bytes=10**9))[0] == "fail"


def test_a_path_that_is_not_there_is_a_failure() -> None:
    assert said(DiskSpace("/no/such/place"))[:1] == ("fail",)


def proc(root: Path, available: int, group: dict[str, str]) -> Path:
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(f"MemTotal: 1000 kB\nMemFree: 5 kB\nMemAvailable: {available} kB\n")
    for name, text in group.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_memory_is_the_control_groups_where_it_has_a_limit_and_the_machines_elsewhere(tmp_path: Path) -> None:
    cases = {
        "machine": (100, {}, "warn", 90.0),
        "no limit": (500, {"memory.max": "max\n", "memory.current": "5"}, "pass", 50.0),
        "v2": (500, {"memory.max": "100000", "memory.current": "98000", "memory.stat": "anon 5\ninactive_file 1000\n"},
               "fail", 97.0),
        "v1": (500, {"memory/memory.limit_in_bytes": "100000", "memory/memory.usage_in_bytes": "60000",
                     "memory/memory.stat": "total_inactive_file 10000\n"}, "pass", 50.0),
        "limit beyond the machine": (500, {"memory.max": str(10**15), "memory.current": "1", "memory.stat": ""}, "pass", 50.0),
    }
    for name, (available, group, status, value) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        found = said(Memory(root=str(proc(folder, available, group))))
        assert (name, found[0], found[2]) == (name, status, value)


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="this system has no /proc/meminfo")
def test_this_machine_tells_its_memory() -> None:
    _, _, value = said(Memory())
    assert 0.0 < value < 100.0


def test_a_machine_that_does_not_tell_is_a_failure(tmp_path: Path) -> None:
    assert said(Memory(root=str(tmp_path)))[0] == "fail"


# --- of the network


@contextmanager
def listening(backlog: int = 5) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        yield server


def test_a_port_is_open_or_closed() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        status, message, took_ms = said(Tcp("127.0.0.1", port))
        assert (status, message) == ("pass", "")
        assert took_ms >= 0
    status, message, _ = said(Tcp("127.0.0.1", port))
    assert (status, message.split(":")[0]) == ("fail", "ConnectionRefusedError")


def test_a_name_resolves_to_as_many_addresses_as_it_should() -> None:
    assert said(Dns("127.0.0.1", expect=["127.0.0.1"]))[0] == "pass"
    assert said(Dns("127.0.0.1", at_least=2))[1] == "127.0.0.1 has 1 of 2 addresses"
    assert said(Dns("127.0.0.1", expect=["127.0.0.2"]))[1] == "127.0.0.1 does not resolve to 127.0.0.2"
    assert said(Dns("nowhere.invalid"))[0] == "fail"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for name, days in (("long", 365), ("soon", 10), ("now", 2)):
        command = [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days",
            str(days), "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
        except FileNotFoundError:
            pytest.skip("openssl is not installed")
    return folder


@contextmanager
def https(folder: Path, name: str) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(1)
            except OSError:
                pass

    with listening() as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(30)


@pytest.mark.parametrize(("name", "status", "days"), [("long", "pass", 365), ("soon", "warn", 10), ("now", "fail", 2)])
def test_a_certificate_warns_weeks_before_it_expires(certificates: Path, name: str, status: str, days: int) -> None:
    with https(certificates, name) as port:
        check = TlsExpiry("127.0.0.1", port, cafile=str(certificates / f"{name}.pem"), server_name="localhost", timeout_s=20)
        found = said(check)
    assert found[0] == status
    assert found[2] == pytest.approx(days, abs=0.1)


def test_a_certificate_that_cannot_be_verified_is_a_failure(certificates: Path) -> None:
    with https(certificates, "long") as port:
        status, message, _ = said(TlsExpiry("127.0.0.1", port, server_name="localhost", timeout_s=20))
        assert (status, "CERTIFICATE_VERIFY_FAILED" in message) == ("fail", True)
        trusted = str(certificates / "long.pem")
        assert "Hostname mismatch" in said(TlsExpiry("127.0.0.1", port, cafile=trusted, server_name="other", timeout_s=20))[1]


@pytest.mark.parametrize(("made", "words"), [
    (lambda: QueueDepth(len), "at least one must be a number"), (lambda: QueueDepth(len, warn=5, fail=3), "warn <= fail = 3"),
    (lambda: DiskSpace("/", fail_percent=101), "fail_percent is 101"), (lambda: Tcp("", 5), "host is ''"),
    (lambda: Tcp("a b", 5), "host is 'a b'"), (lambda: Tcp("a", 0), "port is 0"), (lambda: Dns("a", expect=["b"]), "expect is"),
    (lambda: TlsExpiry("a", warn_days=3, fail_days=5), "fail_days <= warn_days = 3"),
    (lambda: BreakerState(5), "breaker.snapshot"), (lambda: EventLoopLag(every_s=0), "every_s is 0"),
    (lambda: Memory(warn_percent=None, fail_percent=None), "at least one"),
])
def test_wrong_settings_are_refused(made: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made()


def test_at_a_limit_and_not_only_above_it() -> None:
    from holdfast.runtime.health.in_process import measured

    assert measured(5.0, 5.0, 6.0, "s", "x") == Result("warn", "x is 5 s, the limit is 5", 5.0, "s")
