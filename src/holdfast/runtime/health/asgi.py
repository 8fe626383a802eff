"""Health over ASGI, without any framework: `HealthApp(health)`, or `HealthMiddleware(app, health)` around an app.

Rules: what is not a path of health, a websocket and the lifespan go to the app untouched.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from holdfast.runtime.health.answers import Answer, error
from holdfast.runtime.health.routes import Routes, routes_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from holdfast.runtime.health.health import Health

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["HealthApp", "HealthMiddleware"]

log = logging.getLogger("holdfast.runtime")


class HealthMiddleware:
    """Answers the paths of health, hands everything else to `app`.  Settings as in Routes: prefix, details, paths, metrics."""

    __slots__ = ("_app", "_routes")

    def __init__(self, app: App, health: Health, **settings: Any):
        self._app = app
        self._routes: Routes = routes_of(health, **settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            root = scope.get("root_path", "")
            if root and path.startswith(root + "/"):  # mounted: the path holds the mount's own part too (ASGI 3, root_path)
                path = path[len(root):]
            query: bytes = scope.get("query_string", b"")
            asked = self._routes.question(path, query.decode("latin-1") if query else "")
            if asked is not None:
                await respond(await answered(self._routes, asked, scope), scope, send)
                return
        await self._app(scope, receive, send)


async def answered(routes: Routes, asked: Any, scope: Scope) -> Answer:
    refused = None if scope["method"] == "GET" and not asked.only else routes.refusal(asked, scope["method"])
    if refused is not None:
        return refused
    try:
        if asked.kinds:
            reports = await routes.aask(asked)
        else:  # as aask, written out: this is what a thousand probes at once wait for
            reports = [await routes.health.aask(asked.kind, exclude=asked.exclude, only=asked.only)]
    except ValueError as wrong:
        return misconfigured(wrong)
    return routes.answer(asked, reports, lambda: {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]})


def misconfigured(wrong: ValueError) -> Answer:
    """Readiness without checks, or a check asked by the wrong kind: never a silent healthy."""
    log.error("health cannot be told: %s", wrong)
    return error(503, "health is not configured; the log says why")


async def respond(answer: Answer, scope: Scope, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.raw_headers]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


class HealthApp(HealthMiddleware):
    """Health alone: to be mounted, or served by itself on a port of its own.  Its lifespan checks the registration."""

    __slots__ = ()

    def __init__(self, health: Health, **settings: Any):
        super().__init__(self._otherwise, health, **settings)

    async def _otherwise(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await respond(error(404, "not found"), scope, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._routes.health.validate()
        except ValueError as wrong:
            await send({"type": "lifespan.startup.failed", "message": str(wrong)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._routes.health.drain()
        await send({"type": "lifespan.shutdown.complete"})
