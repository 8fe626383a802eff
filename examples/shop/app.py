"""A small shop that stays up: a page, orders in PostgreSQL, and health that tells the truth.

Start it with `python3 app.py`.  HOST and PORT say where it listens; libpq's own variables (PGHOST, PGTARGETSESSIONATTRS ...)
say where the database is; GRACE_S how long it still serves once it was told to end; OPERATOR_TOKEN who sees the details of its
health.  The rules: looking never waits for the database, an order is confirmed only after commit, and every wait has a limit.
"""

import asyncio
import html
import importlib
import json
import os
import re
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from holdfast.runtime.health import Check, GracefulShutdown, Health, HealthMiddleware, Result, bearer

FRESH_S = 1.0  # pages share one copy of the catalogue for this long, so that a crowd of visitors is one query a second
PAGE_PATIENCE_S = 0.25  # how long a page may wait for a fresher copy
ORDER_PATIENCE_S = 2.5  # long enough to ride out a planned switchover, short enough that nobody stares at a blank page
GRACE_S = 1.5  # longer than the balancers need to notice: they ask every 0.25 s and believe the second refusal
BODY_LIMIT = 16 * 1024
HERE = socket.gethostname()
KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# A lost server shows up after a second of unacknowledged data, instead of the kernel's quarter of an hour.
CONNECTING = {"tcp_user_timeout": 1000, "options": "-c statement_timeout=1500", "application_name": f"shop@{HERE}"}
SEED = (("anchor", "Anchor, 12 kg", 18900), ("compass", "Brass compass", 7450), ("lamp", "Storm lamp", 3990),
        ("rope", "Rope, 30 m", 2790), ("sextant", "Sextant", 24900))
# Several web hosts start at once, and CREATE TABLE IF NOT EXISTS alone does not stop two of them from colliding.
TABLES = (
    "SELECT pg_advisory_xact_lock(746210)",
    "CREATE TABLE IF NOT EXISTS products (sku text PRIMARY KEY, name text NOT NULL, cents int NOT NULL)",
    "CREATE TABLE IF NOT EXISTS orders (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL UNIQUE,"
    " sku text NOT NULL REFERENCES products, quantity int NOT NULL CHECK (quantity > 0), placed timestamptz DEFAULT now())",
)
STYLE = ("body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem;color:#1d2733}"
         "table{width:100%;border-collapse:collapse}td{padding:.5rem 0;border-top:1px solid #dde3ea}input{width:4rem}"
         ".note{background:#fff4d6;padding:.6rem .8rem;border-radius:.4rem}footer{color:#5b6775;margin-top:2rem}")


class Unanswered(Exception):
    """The database gave no answer in time.  Whether a write happened is not known; the key makes asking again safe."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    products: tuple[tuple[str, str, int], ...]
    read_s: float | None
    """On the event loop's clock; None for the catalogue that the program brings along."""


@dataclass(slots=True)
class Shop:
    catalogue: Catalogue = Catalogue(SEED, None)
    pool: Any = None
    prepared: bool = False
    reachable: bool = False
    reading: asyncio.Task[None] | None = None
    tried_s: float = -1e9
    children: asyncio.TaskGroup | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: str
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def now_s() -> float:
    return asyncio.get_running_loop().time()


def hang_up(connection: Any) -> None:
    """End a wait for a silent server at once.

    Asking it to cancel would mean waiting for the one that does not answer; and a COMMIT that waits for the standby would,
    when cancelled, report success for an order that only one server has.
    """
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
    except Exception:  # noqa: BLE001 - it was closed already, which is what we wanted
        pass


async def ask(shop: Shop, work: Callable[[Any], Awaitable[Any]], patience_s: float) -> Any:
    """Do `work` with a connection, again on another one if it breaks, until the patience ends.  Raises Unanswered.

    Work must be safe to repeat: after a broken connection nobody knows whether its commit happened.
    """
    if shop.pool is None:
        raise Unanswered
    import psycopg
    from psycopg_pool import TooManyRequests

    deadline_s = now_s() + patience_s
    while (left_s := deadline_s - now_s()) > 0:
        try:
            async with shop.pool.connection(timeout=left_s) as connection:
                alarm = asyncio.get_running_loop().call_later(max(deadline_s - now_s(), 0), hang_up, connection)
                try:
                    result = await work(connection)
                    await connection.commit()
                except psycopg.Error:
                    hang_up(connection)  # it may lead to a server that is no longer the primary: never use it again
                    raise
                finally:
                    alarm.cancel()
                shop.reachable = True
                return result
        except TooManyRequests:
            break  # a queue that grows is an outage in the making: say no at once
        except psycopg.Error:
            await asyncio.sleep(0.05)
    shop.reachable = False
    raise Unanswered


async def prepare(shop: Shop) -> None:
    """Connect and create the tables, for as long as it takes: the shop starts while the database is still coming up."""
    # Importing the driver takes longer than all the rest, so it happens beside the first pages.
    pools = await asyncio.to_thread(importlib.import_module, "psycopg_pool")
    # reconnect_timeout: give up early, since the next request tries anew; the pool's own pauses double up to minutes.
    shop.pool = pools.AsyncConnectionPool(
        "", kwargs=CONNECTING, min_size=1, max_size=8, max_waiting=64, reconnect_timeout=1.0, open=False)
    await shop.pool.open(wait=False)

    async def create(connection: Any) -> None:
        for statement in TABLES:
            await connection.execute(statement)
        for product in SEED:
            await connection.execute("INSERT INTO products VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", product)

    try:
        while not shop.prepared:
            try:
                await ask(shop, create, patience_s=5.0)
                shop.prepared = True
                await refresh(shop)
            except Unanswered:
                await asyncio.sleep(0.5)
        await shop.stopping.wait()
    finally:
        await shop.pool.close(timeout=0.5)


async def refresh(shop: Shop) -> None:
    async def read(connection: Any) -> Catalogue:
        rows = await (await connection.execute("SELECT sku, name, cents FROM products ORDER BY name")).fetchall()
        return Catalogue(tuple(rows), now_s())

    shop.tried_s = now_s()
    try:
        shop.catalogue = await ask(shop, read, patience_s=1.0)
    except Unanswered:
        pass  # the last known copy stays


def refresh_if_due(shop: Shop) -> None:
    due = now_s() - shop.tried_s >= FRESH_S
    if due and shop.prepared and shop.children and (shop.reading is None or shop.reading.done()):
        shop.tried_s = now_s()
        shop.reading = shop.children.create_task(refresh(shop))


def health_of(shop: Shop) -> Health:
    """Ready means: this host can do all that the shop is for, orders included, so without the database it is not.  Balancers ask
    /ready/pages, what the visitors' requests need: with /ready a lost database would take all web hosts out of rotation in the
    same second, and nobody would be left for the pages.
    """
    health = Health("shop")
    health.group("pages", critical=True)
    health.group("orders", critical=True)

    async def catalogue() -> Result:
        return Result("pass" if shop.catalogue.products else "fail", value=len(shop.catalogue.products), unit="products")

    async def database() -> Result:
        # What is known, and a fresh look begun: an answer that waits for a database that hangs would be late at the balancer,
        # and a late answer is a no.
        refresh_if_due(shop)
        return Result("pass") if shop.reachable else Result("fail", "it does not answer; pages go on, orders wait")

    health.add(
        Check("catalogue", catalogue, group="pages", ttl_s=0.1), Check("database", database, group="orders", ttl_s=0.1))
    return health


async def look(shop: Shop) -> tuple[Catalogue, str]:
    """The catalogue and how good it is: `fresh`, `last known copy, 12 s old`, or `built-in`.  Waits a quarter second at most."""
    refresh_if_due(shop)
    # Only while the database answers is it worth waiting for; when it is away, pages must not become slow as well.
    if shop.reading and not shop.reading.done() and shop.reachable:
        await asyncio.wait({shop.reading}, timeout=PAGE_PATIENCE_S)
    if shop.catalogue.read_s is None:
        return shop.catalogue, "built-in"
    age_s = now_s() - shop.catalogue.read_s
    return shop.catalogue, "fresh" if age_s <= FRESH_S + PAGE_PATIENCE_S else f"last known copy, {age_s:.0f} s old"


async def page(shop: Shop) -> Reply:
    catalogue, state = await look(shop)
    warning = f'<p class="note">Prices may be out of date ({state}). Orders may have to wait a moment.</p>'
    note = "" if state == "fresh" else warning
    rows = "".join(
        f'<tr><td>{html.escape(name)}<td>{cents / 100:.2f} EUR<td><form method="post" action="/orders">'
        f'<input type="hidden" name="product" value="{html.escape(sku)}">'
        f'<input type="hidden" name="key" value="{secrets.token_hex(12)}">'
        '<input type="number" name="quantity" value="1" min="1" max="99"> <button>Order</button></form>'
        for sku, name, cents in catalogue.products)
    text = (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>The harbour shop</title><style>{STYLE}</style>'
            f"<h1>The harbour shop</h1>{note}<table>{rows}</table><footer>Served by {html.escape(HERE)}</footer></html>")
    return Reply(200, text, "text/html; charset=utf-8", (("X-Catalogue", state), ("Cache-Control", "no-store")))


def wanted(body: bytes, kind: str, header_key: str) -> tuple[dict[str, Any], list[str]]:
    """The order that was sent, as a form or as JSON, and every mistake in it."""
    try:
        if kind.startswith("application/json"):
            sent = json.loads(body)
        else:
            sent = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
    except (ValueError, RecursionError):
        return {}, ["the body is neither a form nor JSON"]
    if not isinstance(sent, dict):
        return {}, ["the body must be an object"]
    order = {"key": header_key or sent.get("key"), "product": sent.get("product"), "quantity": sent.get("quantity", 1)}
    wrong = []
    if not isinstance(order["key"], str) or not KEY.fullmatch(order["key"]):
        wrong.append("key: 1 to 64 letters, digits, dots, dashes; made by the client, and the same one when it asks again")
    if not isinstance(order["product"], str) or not re.fullmatch(r"[a-z0-9-]{1,64}", order["product"]):
        wrong.append("product: the name of a product")
    if not re.fullmatch(r"[1-9][0-9]?", str(order["quantity"])):
        wrong.append("quantity: a whole number from 1 to 99")
    return order, wrong


async def place(shop: Shop, order: dict[str, Any]) -> Reply:
    """201 once committed; 200 when this key was committed before; 503 when nobody knows."""
    values = {**order, "quantity": int(order["quantity"])}

    async def write(connection: Any) -> Any:
        # Writing the key anew makes a repeated order wait for the standby too: without it, the copy of an order that only a
        # server about to be lost has would be taken for a confirmation.
        return await (await connection.execute(
            "INSERT INTO orders (key, sku, quantity) SELECT %(key)s, sku, %(quantity)s FROM products WHERE sku = %(product)s"
            " ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING number, sku, quantity, xmax = 0", values)).fetchone()

    row = await ask(shop, write, ORDER_PATIENCE_S)
    if row is None:
        return answer(422, error="no such product")
    number, sku, quantity, made = row
    if (sku, quantity) != (values["product"], values["quantity"]):
        return answer(409, error="this key belongs to another order", order=number)
    where = (("Location", f"/orders/{order['key']}"),)
    return answer(201 if made else 200, where, order=number, key=order["key"])


async def find(shop: Shop, key: str) -> Reply:
    async def read(connection: Any) -> Any:
        found = await connection.execute("SELECT number, key, sku, quantity FROM orders WHERE key = %s", (key,))
        return await found.fetchone()

    row = await ask(shop, read, ORDER_PATIENCE_S) if KEY.fullmatch(key) else None
    if row is None:
        return answer(404, error="no such order")
    return answer(200, order=row[0], key=row[1], product=row[2], quantity=row[3])


def answer(status: int, headers: tuple[tuple[str, str], ...] = (), **what: Any) -> Reply:
    return Reply(status, json.dumps(what) + "\n", headers=headers)


async def received(receive: Any) -> bytes | None:
    """The whole body, or None if it is too large."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            return None
        if not message.get("more_body"):
            return body


async def reply_to(shop: Shop, method: str, path: str, headers: dict[bytes, bytes], receive: Any) -> Reply:
    if path == "/orders":
        if method != "POST":
            return Reply(405, "", headers=(("Allow", "POST"),))
        body = await received(receive)
        if body is None:
            return answer(413, error=f"more than {BODY_LIMIT} bytes")
        kind, key = (headers.get(name, b"").decode("latin-1") for name in (b"content-type", b"idempotency-key"))
        order, wrong = wanted(body, kind, key)
        return answer(400, errors=wrong) if wrong else await place(shop, order)
    if method not in ("GET", "HEAD"):
        return Reply(405, "", headers=(("Allow", "GET, HEAD"),))
    if path == "/":
        return await page(shop)
    if path.startswith("/orders/"):
        return await find(shop, path.removeprefix("/orders/"))
    return answer(404, error="no such page")


async def lifespan(shop: Shop, health: Health, receive: Any, send: Any) -> None:
    await receive()
    # Here, because uvicorn has set its own handlers by now: they are called when the grace is over.
    GracefulShutdown(health, float(os.environ.get("GRACE_S", GRACE_S))).install()
    async with asyncio.TaskGroup() as shop.children:
        keeper = shop.children.create_task(prepare(shop))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        shop.stopping.set()
        if not shop.prepared:
            keeper.cancel()
    await send({"type": "lifespan.shutdown.complete"})


def application(shop: Shop) -> Callable[..., Awaitable[None]]:
    health, token = health_of(shop), os.environ.get("OPERATOR_TOKEN")

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return await lifespan(shop, health, receive, send)
        try:
            reply = await reply_to(shop, scope["method"], scope["path"], dict(scope["headers"]), receive)
        except Unanswered:
            reply = answer(503, (("Retry-After", "2"),), error="the database does not answer; ask again with the same key")
        headers = (("Content-Type", reply.kind), ("X-Served-By", HERE), *reply.headers)
        body = reply.body.encode()
        lines = [(name.lower().encode(), value.encode()) for name, value in (*headers, ("Content-Length", str(len(body))))]
        await send({"type": "http.response.start", "status": reply.status, "headers": lines})
        await send({"type": "http.response.body", "body": body})
        return None

    paths = {"/ready": "readiness", "/ready/pages": "pages", "/ready/orders": "orders", "/live": "liveness"}
    return HealthMiddleware(app, health, paths=paths, details=bearer(token) if token else False)


def main() -> None:
    import uvicorn

    host, port = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8080"))
    # timeout_keep_alive: longer than a balancer keeps an idle connection, so that it is never closed under a request.
    uvicorn.run(application(Shop()), host=host, port=port, loop="asyncio", http="h11", ws="none", access_log=False,
                log_level="warning", timeout_keep_alive=75, timeout_graceful_shutdown=5, server_header=False, backlog=512)


if __name__ == "__main__":
    main()
