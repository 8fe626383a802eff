"""A program that is told to end: not ready first, then a grace period, then its own usual end."""

from __future__ import annotations

import http.client
import importlib.util
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.runtime.health import GracefulShutdown, Health, grace_for


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


PROGRAMS = {
    "asyncio": """
        import asyncio
        async def main():
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            with HealthServer(health, port=port):
                GracefulShutdown(health, grace_s, then=lambda: loop.call_soon_threadsafe(stop.set)).install()
                await stop.wait()
            print("ended well")
        asyncio.run(main())
    """,
    "threads": """
        import signal, threading
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
        with HealthServer(health, port=port):
            GracefulShutdown(health, grace_s).install()
            while not stop.wait(0.02):
                pass
        print("ended well")
    """,
    "default": """
        import time
        with HealthServer(health, port=port):
            GracefulShutdown(health, grace_s).install()
            while True:
                time.sleep(0.02)
    """,
    "uvicorn": """
        import contextlib, uvicorn
        from starlette.applications import Starlette
        @contextlib.asynccontextmanager
        async def lifespan(app):
            GracefulShutdown(health, grace_s).install()     # after uvicorn has set its own handlers
            yield
            print("ended well")
        app = HealthMiddleware(Starlette(lifespan=lifespan), health)
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
    """,
    "aiohttp": """
        from aiohttp import web
        from aiohttp.web_runner import GracefulExit
        from holdfast.runtime.extras.health_aiohttp import health_middleware
        app = web.Application(middlewares=[health_middleware(health)])
        def end():
            raise GracefulExit
        async def started(app):
            GracefulShutdown(health, grace_s, then=end).install()
        async def cleaned(app):
            print("ended well")
        app.on_startup.append(started)
        app.on_cleanup.append(cleaned)
        web.run_app(app, host="127.0.0.1", port=port, print=None)
    """,
}
NEEDS = {"uvicorn": ("uvicorn", "starlette"), "aiohttp": ("aiohttp",)}


class Program:
    def __init__(self, folder: Path, name: str, grace_s: float):
        self.port = free_port()
        head = f"""
            from holdfast.runtime.health import GracefulShutdown, Health, HealthMiddleware, HealthServer
            health, port, grace_s = Health(no_readiness_checks=True), {self.port}, {grace_s}
        """
        file = folder / "program.py"
        file.write_text(textwrap.dedent(head) + textwrap.dedent(PROGRAMS[name]))
        self.process = subprocess.Popen([sys.executable, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.until(lambda: self.status("/readyz") == 200)

    def status(self, path: str) -> int:
        """0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def until(self, holds: Callable[[], bool]) -> None:
        end_s = time.monotonic() + 30
        while not holds():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end_s, "it never came true"
            time.sleep(0.01)

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    name, grace_s = request.param
    for module in NEEDS.get(name, ()):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    running = Program(tmp_path, name, grace_s)
    yield running
    running.process.kill()
    running.process.wait()


@pytest.mark.parametrize("program", [(name, 1.5) for name in PROGRAMS], indirect=True, ids=PROGRAMS)
def test_it_is_not_ready_while_it_still_serves_and_then_ends_in_its_own_way(
    program: Program, request: pytest.FixtureRequest,
) -> None:
    began_s = time.monotonic()
    program.process.send_signal(signal.SIGTERM)
    program.until(lambda: program.status("/readyz") == 503)
    assert program.status("/livez") in (200, 0), "alive to the end"
    code, out, err = program.ended()
    assert time.monotonic() - began_s >= 1.5
    by_default = "default" in request.node.name
    # uvicorn ends itself once more by the signal that ended it, when all is done.
    assert code in ((-signal.SIGTERM,) if by_default else (0, -signal.SIGTERM) if "uvicorn" in request.node.name else (0,)), err
    assert ("ended well" in out) == (not by_default)


@pytest.mark.parametrize("program", [("threads", 60.0)], indirect=True)
def test_a_second_signal_ends_the_grace(program: Program) -> None:
    program.process.send_signal(signal.SIGTERM)
    program.until(lambda: program.status("/readyz") == 503)
    program.process.send_signal(signal.SIGTERM)
    assert program.ended()[:2] == (0, "ended well\n")


def test_the_grace_is_longer_than_a_balancer_needs_to_notice() -> None:
    assert grace_for(0.25, 2, margin_s=0.5) == 1.0
    assert grace_for(2.0, 3, timeout_s=1.0) == 7.5
    with pytest.raises(ValueError, match="fall is 0"):
        grace_for(1.0, 0)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="grace_s is -1"):
        GracefulShutdown(Health(), -1)
    with pytest.raises(ValueError, match="then is 5"):
        GracefulShutdown(Health(), 1, then=5)  # type: ignore[arg-type]


def test_outside_of_the_main_thread_it_is_an_error_and_not_silently_without_effect() -> None:
    errors: list[BaseException] = []

    def install() -> None:
        try:
            GracefulShutdown(Health(), 1).install()
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=install)
    thread.start()
    thread.join(30)
    assert len(errors) == 1


def test_a_handler_that_belongs_to_an_event_loop_needs_to_be_told_how_the_program_ends() -> None:
    import asyncio

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: None)
        try:
            with pytest.raises(ValueError, match="then is None.*SIGUSR1 belongs to an event loop"):
                GracefulShutdown(Health(), 1, signals=[signal.SIGUSR1]).install()
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)

    asyncio.run(main())


def test_uninstalled_everything_is_as_before() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    shutdown = GracefulShutdown(Health(), 1, signals=[signal.SIGUSR1]).install()
    assert signal.getsignal(signal.SIGUSR1) is not before
    shutdown.uninstall()
    assert signal.getsignal(signal.SIGUSR1) is before
