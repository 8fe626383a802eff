"""Health over WSGI, without any framework: `HealthWsgiApp(health)`, or `HealthWsgiMiddleware(app, health)` around an app.

Rules: what is not a path of health goes to the app untouched.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from holdfast.runtime.health.answers import Answer, error
from holdfast.runtime.health.asgi import misconfigured
from holdfast.runtime.health.routes import Question, Routes, routes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdfast.runtime.health.health import Health

    Environ = dict[str, Any]
    StartResponse = Callable[..., Any]
    App = Callable[[Environ, StartResponse], Iterable[bytes]]

__all__ = ["HealthWsgiApp", "HealthWsgiMiddleware"]


class HealthWsgiMiddleware:
    """Answers the paths of health, hands everything else to `app`.  Settings as in Routes: prefix, details, paths, metrics."""

    __slots__ = ("_app", "_routes")

    def __init__(self, app: App, health: Health, **settings: Any):
        self._app = app
        self._routes: Routes = routes_of(health, **settings)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        # WSGI gives the bytes of the path as latin-1 (PEP 3333).
        path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
        asked = self._routes.question(path, environ.get("QUERY_STRING", ""))
        if asked is None:
            return self._app(environ, start_response)
        answer = self._answered(asked, environ)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", [*answer.headers])
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else answer.body]

    def _answered(self, asked: Question, environ: Environ) -> Answer:
        refused = self._routes.refusal(asked, environ.get("REQUEST_METHOD", "GET"))
        if refused is not None:
            return refused
        try:
            reports = self._routes.ask(asked)
        except ValueError as wrong:
            return misconfigured(wrong)
        return self._routes.answer(asked, reports, lambda: {
            key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")})


class HealthWsgiApp(HealthWsgiMiddleware):
    """Health alone: to be mounted, or served by itself."""

    __slots__ = ()

    def __init__(self, health: Health, **settings: Any):
        super().__init__(_not_found, health, **settings)


def _not_found(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    answer = error(404, "not found")
    start_response("404 Not Found", answer.headers)
    return [answer.body]
