"""The recipes of the page, in the real frameworks."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest
from test_health_servers import asgi, wsgi

from holdfast.runtime.health import Check, Health, HealthApp, HealthMiddleware, HealthWsgiMiddleware, Result, bearer

TOKEN = "sesame-open-now"


def framework(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def health_of(answers: list[str]) -> Health:
    """`answers[0]` is what the database says."""
    health = Health("shop")

    async def ping() -> Result:
        await asyncio.sleep(0)
        return Result(answers[0], "as told")

    health.add(Check("database", ping, ttl_s=0))
    return health


def starlette(health: Health) -> Any:
    framework("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("shop"))])
    app.add_middleware(HealthMiddleware, health=health, details=bearer(TOKEN))
    return app


def starlette_mounted(health: Health) -> Any:
    framework("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    return Starlette(routes=[
        Route("/", lambda request: PlainTextResponse("shop")), Mount("/", HealthApp(health, details=bearer(TOKEN)))])


def fastapi(health: Health) -> Any:
    framework("fastapi")
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI()

    @app.get("/", response_class=PlainTextResponse)
    async def home() -> str:
        return "shop"

    app.add_middleware(HealthMiddleware, health=health, details=bearer(TOKEN))
    return app


def django_settings() -> Any:
    framework("django")
    from django.conf import settings

    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="only for this test", DEBUG=False)
        import django

        django.setup()
    return importlib.import_module("django.urls")


def home(request: Any) -> Any:
    from django.http import HttpResponse

    return HttpResponse("shop")


def __getattr__(name: str) -> Any:
    if name == "urlpatterns":  # this module is its own ROOT_URLCONF
        return [django_settings().path("", home)]
    raise AttributeError(name)


def django(health: Health) -> Any:
    django_settings()
    from django.core.asgi import get_asgi_application

    return HealthMiddleware(get_asgi_application(), health, details=bearer(TOKEN))


@pytest.mark.parametrize("make", [starlette, starlette_mounted, fastapi, django])
def test_an_asgi_framework_serves_its_pages_and_its_health(make: Any) -> None:
    answers = ["pass"]
    app = make(health_of(answers))

    async def main() -> None:
        more = {"http_version": "1.1", "scheme": "http", "server": ("shop", 80), "client": ("127.0.0.1", 5), "root_path": "",
                "raw_path": b"", "asgi": {"version": "3.0"}, "extensions": {}}
        status, _, body = await asgi(app, "/", **more)
        assert (status, body) == (200, b"shop")
        assert (await asgi(app, "/readyz", **more))[::2] == (200, b"ok")
        answers[0] = "fail"
        assert (await asgi(app, "/readyz", **more))[0] == 503
        assert (await asgi(app, "/livez", **more))[0] == 200
        assert b"as told" not in (await asgi(app, "/health", **more))[2]
        operator = {**more, "headers": [(b"authorization", f"Bearer {TOKEN}".encode())]}
        assert b"as told" in (await asgi(app, "/health", **operator))[2]

    asyncio.run(main())


def flask(health: Health) -> Any:
    app = framework("flask").Flask("shop")
    app.add_url_rule("/", view_func=lambda: "shop")
    app.wsgi_app = HealthWsgiMiddleware(app.wsgi_app, health, details=bearer(TOKEN))
    return app


def django_wsgi(health: Health) -> Any:
    django_settings()
    from django.core.wsgi import get_wsgi_application

    return HealthWsgiMiddleware(get_wsgi_application(), health, details=bearer(TOKEN))


@pytest.mark.parametrize("make", [flask, django_wsgi])
def test_a_wsgi_framework_serves_its_pages_and_its_health(make: Any) -> None:
    answers = ["pass"]
    app = make(health_of(answers))
    assert wsgi(app, "/")[::2] == ("200 OK", b"shop")
    assert wsgi(app, "/readyz")[::2] == ("200 OK", b"ok")
    answers[0] = "fail"
    assert wsgi(app, "/readyz")[0] == "503 Service Unavailable"
    assert b"as told" not in wsgi(app, "/health")[2]
    assert b"as told" in wsgi(app, "/health", HTTP_AUTHORIZATION=f"Bearer {TOKEN}")[2]


def test_aiohttp_serves_its_pages_and_its_health() -> None:
    framework("aiohttp")
    from aiohttp import web
    from aiohttp.test_utils import TestClient, TestServer

    from holdfast.runtime.extras.health_aiohttp import health_middleware

    answers = ["pass"]
    health = health_of(answers)

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="shop")

    async def main() -> None:
        app = web.Application(middlewares=[health_middleware(health, details=bearer(TOKEN))])
        app.router.add_get("/", page)
        async with TestClient(TestServer(app)) as client:
            assert await (await client.get("/")).text() == "shop"
            ready = await client.get("/readyz?verbose")
            assert (ready.status, ready.headers["Cache-Control"]) == (200, "no-store")
            assert await ready.text() == "[+]database ok\nreadyz check passed\n"
            answers[0] = "fail"
            assert (await client.get("/readyz")).status == 503
            assert (await client.post("/readyz")).status == 405
            assert (await client.get("/nowhere")).status == 404
            assert "as told" not in await (await client.get("/health")).text()
            assert "as told" in await (await client.get("/health", headers={"Authorization": f"Bearer {TOKEN}"})).text()

    asyncio.run(main())
