"""Three web servers whose manners can be changed, behind one real balancer, all on addresses of this machine's own."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from helpers import balanced
from test_real_checkers import placed, site

from holdfast.blueprint import with_secrets
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.haproxy import HEALTH_PORT
from holdfast.topology.model import Uses


class Server(ThreadingHTTPServer):
    """`status` is what it answers to anything but /ready; "hang up" closes the connection instead, "slow" takes 0.6 s,
    "hang" 4 s."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, name: str, address: str):
        super().__init__((address, 8080), Handler)
        self.name, self.status, self.seen = name, "200", Counter[str]()
        self.open: set[socket.socket] = set()
        self.heard: dict[str, str] = {}
        """Headers of the last request that was no check."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is nothing to tell of."""

    def process_request(self, request: socket.socket, client_address: object) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def stop(self) -> None:
        """As if killed: nobody listens, and connections that were kept open are gone too."""
        self.shutdown()
        self.server_close()
        for each in self.open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    wbufsize = 1 << 16
    """An answer leaves as a whole, or not at all: half of one could not be asked again by anybody."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        ready = self.path == "/ready"
        if not ready:
            self.server.seen[self.command] += 1
            self.server.heard = {name.lower(): value for name, value in self.headers.items()}
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.status == "hang up" and not ready:
            self.close_connection = True
            return
        if self.headers.get("Upgrade"):
            self._echo()
            return
        if not ready:
            time.sleep({"slow": 0.6, "hang": 4.0}.get(self.server.status, 0.0))
        body = self.server.name.encode()
        self.send_response(200 if ready or not self.server.status.isdigit() else int(self.server.status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_GET

    def _echo(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        # RFC 6455, 1.3: the answer to the key of its own example, which HAProxy checks.
        self.send_header("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.flush()
        self.wfile.write(self.rfile.readline())
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """The balancer's log is enough."""


@dataclass
class Service:
    """`ask` returns status and body; the body of a good answer is the server's name."""

    addresses: list[str]
    port: int
    servers: dict[str, Server]
    balancers: list[subprocess.Popen[bytes]]
    through: int = 0
    """Which balancer is asked."""
    visitor: int = 0
    """Whoever asks: each has an address of its own."""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return self.addresses[self.through]

    def wait_until_told(self) -> None:
        """Until the other HAProxy knows as many visitors as this one: their connection may begin after the first of them."""
        until_s = time.monotonic() + 30.0
        while len({self._known(address) for address in self.addresses}) > 1:
            assert time.monotonic() < until_s, "the balancers did not tell each other whom they sent where"
            time.sleep(0.05)

    def _known(self, address: str) -> str:
        connection = http.client.HTTPConnection(address, HEALTH_PORT, timeout=5)
        try:
            connection.request("GET", "/metrics?scope=sticktable")
            return str(re.findall(r"^haproxy_sticktable_used\S* (\d+)", connection.getresponse().read().decode(), re.M))
        finally:
            connection.close()

    def kill_the_balancer(self) -> None:
        """Then the other one is asked."""
        with suppress(ProcessLookupError):
            os.killpg(self.balancers[self.through].pid, signal.SIGKILL)
        self.balancers[self.through].wait(5)
        self.through = 1 - self.through

    def ask(self, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, str]:
        source = (self.address.rpartition(".")[0] + f".{200 + self.visitor}", 0)
        connection = http.client.HTTPConnection(self.address, self.port, timeout=5, source_address=source)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if self.cookies:
                sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request(method, path, body=b"x" if method != "GET" else None, headers=sent)
            answer = connection.getresponse()
            if given := answer.getheader("Set-Cookie"):
                name, _, value = given.partition(";")[0].partition("=")
                self.cookies[name] = value.strip('"')
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def asked(self, times: int, path: str = "/", **headers: str) -> Counter[str]:
        """Who answered, how often; `status 429` for what was no good answer."""
        found: Counter[str] = Counter()
        for _ in range(times):
            status, body = self.ask(path, **headers)
            found[body if status == 200 else f"status {status}"] += 1
        return found

    @contextmanager
    def asked_all_the_while(self) -> Iterator[list[tuple[int, float]]]:
        """Status and duration in seconds of every answer while the body of the `with` runs, one question after the other."""
        seen: list[tuple[int, float]] = []
        done = Event()

        def ask() -> None:
            while not done.is_set():
                began_s = time.monotonic()
                seen.append((self.ask()[0], time.monotonic() - began_s))

        asking = Thread(target=ask)
        asking.start()
        try:
            yield seen
        finally:
            done.set()
            asking.join(10)

    def restart(self, name: str, gone_s: float) -> None:
        """A server is killed, and another one is there after `gone_s` seconds."""
        old = self.servers[name]
        old.stop()
        time.sleep(gone_s)
        self.servers[name] = Server(name, str(old.server_address[0]))

    def hits(self, method: str) -> int:
        return sum(server.seen[method] for server in self.servers.values())


@contextmanager
def running(
    engine: str, folder: Path, uses: Uses | None = None, balancers: int = 1, tls: dict[str, object] | None = None,
    pem: str = "", answer: str = "", **balance: object
) -> Iterator[Service]:  # fmt: skip
    """`pem` stands in for the secret that holds the certificate, `answer` for what the authority says of it."""
    whole = balanced(engine, uses, tls, **balance)
    # Of this process alone, so that tests may run side by side.
    net = f"127.{100 + os.getpid() % 100}.{1 + os.getpid() // 100 % 250}."
    addresses = {place.name: net + place.address.rpartition(".")[2] for place in whole.places}
    place = replace(site(folder, whole, engine), addresses=addresses)
    entries = whole.instances_of("entry")[:balancers]
    started: list[subprocess.Popen[bytes]] = []
    servers = {name: Server(name, addresses[name]) for name in ("web1", "web2", "web3")}
    service = Service([addresses[entry.host] for entry in entries], place.port(80), servers, started)
    try:
        for entry in entries:
            process = ENGINES[engine].process(entry, whole, place)
            known = {"entry-tls": pem, "entry-tls-ocsp": answer}
            files = {path: replace(file, text=with_secrets(file.text, known)) for path, file in process.files.items()}
            process = placed(replace(process, files=files), place)
            with open(folder / entry.host / "log", "wb") as log:
                started.append(subprocess.Popen(process.argv, stdout=log, stderr=log, cwd=folder, start_new_session=True))
        for service.through in reversed(range(balancers)):
            _until_ready(service, folder / entries[service.through].host / "log")
        service.cookies.clear()
        for server in servers.values():
            server.seen.clear()
        yield service
    finally:
        for each in started:
            with suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGKILL)  # workers too
            each.wait(5)
        for server in servers.values():
            with suppress(OSError):
                server.stop()


def _until_ready(service: Service, log: Path) -> None:
    until_s = time.monotonic() + 10
    while service.asked(6, "/ready").keys() & {"status 0", "status 503"}:
        assert service.balancers[service.through].poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < until_s, log.read_text()[-2000:]
        time.sleep(0.05)
