"""ASGI, WSGI and the standalone server, and clients that are slow, hostile or many."""

from __future__ import annotations

import asyncio
import http.client
import socket
import time
from collections.abc import Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from holdfast.runtime.health import (
    Check,
    EventLoopLag,
    Health,
    HealthApp,
    HealthMiddleware,
    HealthServer,
    HealthWsgiApp,
    HealthWsgiMiddleware,
    Result,
)


def healthy() -> Health:
    health = Health("shop")
    health.add(Check("database", lambda: Result("pass")))
    return health


async def asgi(app: Any, path: str, method: str = "GET", query: bytes = b"", **more: Any) -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, Any]] = []
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(requests, None) or await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": path, "query_string": query, "headers": [], **more}, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


async def teapot(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"tea"})


def test_the_asgi_middleware_answers_its_paths_and_hands_on_the_rest() -> None:
    async def main() -> None:
        app = HealthMiddleware(teapot, healthy())
        status, headers, body = await asgi(app, "/readyz")
        assert (status, body, headers["cache-control"]) == (200, b"ok", "no-store")
        assert (await asgi(app, "/tea"))[0] == 418
        assert (await asgi(app, "/readyz", "HEAD"))[2] == b""
        assert (await asgi(app, "/readyz", "POST"))[0] == 405
        assert (await asgi(app, "/readyz", query=b"verbose"))[2] == b"[+]database ok\nreadyz check passed\n"
        assert (await asgi(app, "/app/readyz", root_path="/app"))[0] == 200

    asyncio.run(main())


def test_forgotten_readiness_is_an_error_and_never_a_silent_healthy(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        status, _, body = await asgi(HealthApp(Health()), "/readyz")
        assert (status, body) == (503, b"health is not configured; the log says why\n")

    asyncio.run(main())
    assert "no readiness checks are registered" in caplog.text
    with pytest.raises(ValueError, match="no readiness checks"):
        HealthServer(Health(), port=0).start()


def test_the_lifespan_of_the_app_checks_the_registration_and_drains_at_the_end() -> None:
    async def lifespan(health: Health) -> list[str]:
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        sent: list[str] = []

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await HealthApp(health)({"type": "lifespan"}, receive, send)
        return sent

    good = healthy()
    assert asyncio.run(lifespan(good)) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert good.draining
    assert asyncio.run(lifespan(Health())) == ["lifespan.startup.failed"]


def wsgi(app: Any, path: str, method: str = "GET", **more: str) -> tuple[str, dict[str, str], bytes]:
    said: list[Any] = []
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method, "SCRIPT_NAME": "", "QUERY_STRING": "", **more}
    setup_testing_defaults(environ)
    answer = validator(app)(environ, lambda status, headers, info=None: said.append((status, headers)))  # type: ignore[arg-type]
    try:
        body = b"".join(answer)
    finally:
        answer.close()  # type: ignore[attr-defined]
    return said[0][0], dict(said[0][1]), body


def pot(environ: Any, start_response: Any) -> list[bytes]:
    start_response("418 I'm a Teapot", [("Content-Type", "text/plain")])
    return [b"tea"]


def test_the_wsgi_middleware_answers_its_paths_and_hands_on_the_rest() -> None:
    app = HealthWsgiMiddleware(pot, healthy(), details=lambda headers: headers.get("x-operator") == "yes")
    assert wsgi(app, "/readyz")[::2] == ("200 OK", b"ok")
    assert wsgi(app, "/tea")[0] == "418 I'm a Teapot"
    assert b"serviceId" in wsgi(app, "/health", HTTP_X_OPERATOR="yes")[2]
    assert wsgi(app, "/health")[2] == b'{"status": "pass"}\n'
    assert wsgi(app, "/readyz", "DELETE")[0] == "405 Method Not Allowed"
    assert wsgi(HealthWsgiApp(healthy()), "/other")[0] == "404 Not Found"
    assert wsgi(HealthWsgiApp(Health()), "/readyz")[0] == "503 Service Unavailable"


# --- the standalone server


@pytest.fixture
def server() -> Iterator[HealthServer]:
    with HealthServer(healthy(), port=0, patience_s=30, max_connections=20) as running:
        yield running


def ask(server: HealthServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def raw(server: HealthServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), 30) as wire:
        wire.sendall(data)
        found = b""
        while piece := wire.recv(65_536):
            found += piece
        return found


def test_the_server_answers_all_paths(server: HealthServer) -> None:
    assert ask(server, "/readyz") == (200, b"ok")
    assert ask(server, "/health/live") == (200, b'{"status": "pass"}\n')
    assert ask(server, "/health/metrics")[0] == 200
    assert ask(server, "/readyz", "HEAD") == (200, b"")
    assert ask(server, "/readyz", "PUT")[0] == 405
    assert ask(server, "/nowhere")[0] == 404


@pytest.mark.parametrize(("data", "status"), [
    (b"GET /readyz\r\n\r\n", b"400"), (b"\x16\x03\x01\r\n\r\n", b"400"), (b"GET /readyz HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
    (b"GET /readyz HTTP/1.1\r\nHost : x\r\n\r\n", b"400"), (b"GET  /readyz HTTP/1.1\r\n\r\n", b"400"),
    (b"GET /readyz HTTP/2.0\r\n\r\n", b"400"), (b"\r\n\r\n", b"400"), (b"GET /%ff%00 HTTP/1.1\r\n\r\n", b"404"),
    (b"GET /readyz HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
    (b"GET /readyz/%0d%0aX:%20y HTTP/1.1\r\n\r\n", b"404"),
])
def test_garbage_gets_an_answer_and_the_next_client_too(server: HealthServer, data: bytes, status: bytes) -> None:
    try:
        assert raw(server, data)[9:12] == status
    except ConnectionResetError:
        assert status == b"431", "only a client that is still sending may miss its answer"
    assert ask(server, "/readyz") == (200, b"ok")


def test_a_client_that_dribbles_is_sent_away_and_holds_up_nobody() -> None:
    with HealthServer(healthy(), port=0, patience_s=1.5) as server:
        slow = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(5)]
        for wire in slow:
            wire.sendall(b"GET /readyz HT")
        assert ask(server, "/readyz") == (200, b"ok")
        assert [wire.recv(100)[9:12] for wire in slow] == [b"408"] * 5
        for wire in slow:
            wire.close()


def test_there_are_never_more_connections_than_allowed_and_they_come_free_again() -> None:
    with HealthServer(healthy(), port=0, patience_s=30, max_connections=3) as server:
        held = [socket.create_connection(("127.0.0.1", server.port), 30) for _ in range(3)]
        end_s = time.monotonic() + 30
        while len(server._open) < 3:
            assert time.monotonic() < end_s
            time.sleep(0.01)
        try:
            assert raw(server, b"GET /readyz HTTP/1.1\r\n\r\n") == b""
        except OSError:
            pass  # closed before anything was sent
        for wire in held:
            wire.close()
        while True:
            try:
                assert ask(server, "/readyz") == (200, b"ok")
                break
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < end_s


def test_a_port_that_is_taken_is_an_error_at_the_start(server: HealthServer) -> None:
    with pytest.raises(OSError, match="address already in use"):
        HealthServer(healthy(), port=server.port).start()


def test_while_the_event_loop_is_blocked_the_server_answers_and_liveness_fails() -> None:
    async def main() -> None:
        lag = EventLoopLag(fail_s=1.5, warn_s=None, every_s=0.01)
        health = Health(no_readiness_checks=True)
        health.add(Check("loop", lag, kind="liveness", ttl_s=0))
        lag.start()
        with HealthServer(health, port=0) as server:
            assert await asyncio.to_thread(ask, server, "/livez") == (200, b"ok")
            time.sleep(1.7)  # the program computes
            assert ask(server, "/livez") == (503, b"livez check failed\n")
            assert ask(server, "/readyz")[0] == 200
            await asyncio.sleep(0.05)
            await asyncio.to_thread(ask, server, "/livez")
            await asyncio.sleep(0.05)
            assert (await asyncio.to_thread(ask, server, "/livez"))[0] == 200
        lag.stop()

    asyncio.run(main())
