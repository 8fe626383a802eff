"""What systemd is told, on a socket like its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.runtime.health import Check, Health, Notifier, Result
from holdfast.runtime.health.systemd import notify, watchdog_s


class Systemd:
    """A datagram socket, as systemd's, that remembers what it heard."""

    def __init__(self, address: str):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(30)
        self.environment = {"NOTIFY_SOCKET": address}

    def heard(self) -> str:
        return self.socket.recv(4096).decode()

    def until(self, line: str) -> list[str]:
        """Everything up to this line."""
        found: list[str] = []
        while line not in found:
            found += self.heard().split("\n")
        return found


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@holdfast-test-{id(tmp_path)}"
    made = Systemd(address)
    yield made
    made.socket.close()


def test_it_says_when_it_is_ready_and_when_it_stops(systemd: Systemd) -> None:
    answers = ["fail"]
    health = Health("shop")
    health.add(Check("database", lambda: Result(answers[0]), ttl_s=0))
    with Notifier(health, every_s=0.02, environment=systemd.environment):
        assert systemd.heard() == "STATUS=fail: database"
        answers[0] = "pass"
        assert set(systemd.until("READY=1")) >= {"READY=1", "STATUS=pass"}
        health.drain("the operator says so")
        assert "STOPPING=1" in systemd.until("STATUS=the operator says so")
    health.serve_again()


def test_it_says_that_it_stops_when_nobody_drained_it(systemd: Systemd) -> None:
    with Notifier(Health(no_readiness_checks=True), environment=systemd.environment):
        systemd.until("READY=1")
    assert systemd.heard() == "STOPPING=1"


def test_the_watchdog_is_fed_only_while_the_program_is_alive_however_long_a_dependency_hangs(systemd: Systemd) -> None:
    alive, go = [True], threading.Event()
    health = Health()
    health.add(
        Check("loop", lambda: Result("pass" if alive[0] else "fail"), kind="liveness", ttl_s=0),
        Check("database", lambda: go.wait(60), timeout_s=60))
    environment = {**systemd.environment, "WATCHDOG_USEC": "40000"}
    with Notifier(health, environment=environment) as notifier:
        for _ in range(5):
            assert systemd.heard() == "WATCHDOG=1"
        alive[0] = False
        assert notifier.guard() is False
        go.set()
        systemd.socket.settimeout(0.3)  # fifteen times the beat
        end_s = time.monotonic() + 30
        try:
            while systemd.heard():
                assert time.monotonic() < end_s, "it is still fed"
        except TimeoutError:
            pass


def test_the_interval_is_half_of_the_watchdogs_and_only_for_the_process_it_is_meant_for() -> None:
    assert watchdog_s({"WATCHDOG_USEC": "3000000"}) == 3.0
    assert watchdog_s({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "12"}, pid=12) == 3.0
    assert watchdog_s({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "13"}, pid=12) is None
    assert watchdog_s({"WATCHDOG_USEC": "0"}) is None
    assert watchdog_s({"WATCHDOG_USEC": "soon"}) is None
    assert watchdog_s({}) is None


def test_without_systemd_nothing_is_sent_and_nothing_runs() -> None:
    assert notify("READY=1", {}) is False
    before = threading.active_count()
    with Notifier(Health(no_readiness_checks=True), environment={}):
        assert threading.active_count() == before
    with pytest.raises(OSError, match="NOTIFY_SOCKET is 'vsock:2:1234'"):
        notify("READY=1", {"NOTIFY_SOCKET": "vsock:2:1234"})


def test_when_the_socket_is_gone_the_program_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "gone")}
    notifier = Notifier(Health("shop", no_readiness_checks=True), every_s=0.01, environment=environment).start()
    end_s = time.monotonic() + 30
    while "systemd could not be told" not in caplog.text:
        assert time.monotonic() < end_s
        time.sleep(0.01)
    notifier.stop()
