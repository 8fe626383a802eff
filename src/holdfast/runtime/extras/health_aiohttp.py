"""Health in an aiohttp server: `web.Application(middlewares=[health_middleware(health)])`.

Rules: as the other middlewares; settings of Routes: prefix, details, paths, metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from holdfast.runtime.health.asgi import misconfigured
from holdfast.runtime.health.routes import routes_of

if TYPE_CHECKING:
    from holdfast.runtime.health.health import Health

__all__ = ["health_middleware"]


def health_middleware(health: Health, **settings: Any) -> Any:
    routes = routes_of(health, **settings)

    @web.middleware
    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        asked = routes.question(request.path, request.query_string)
        if asked is None:
            reply: web.StreamResponse = await handler(request)
            return reply
        answer = routes.refusal(asked, request.method)
        if answer is None:
            try:
                reports = await routes.aask(asked)
            except ValueError as wrong:
                answer = misconfigured(wrong)
            else:
                headers = {name.lower(): value for name, value in request.headers.items()}
                answer = routes.answer(asked, reports, lambda: headers)
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))

    return middleware
