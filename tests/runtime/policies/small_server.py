"""A real HTTP server on loopback that answers as told."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Told(ThreadingHTTPServer):
    """`plan` has one (status, headers, seconds) per request, the last one for ever; status 0 hangs up.  `seen` is what came."""

    daemon_threads = True

    def __init__(self, plan: list[tuple[int, dict[str, str], float]]):
        self.plan, self.seen, self.connections, self.lock = plan, list[str](), 0, threading.Lock()
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left is what these tests are about."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Told

    def setup(self) -> None:
        socketserver.StreamRequestHandler.setup(self)
        with self.server.lock:
            self.server.connections += 1

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self) -> None:
        body = self.body()
        with self.server.lock:
            number = len(self.server.seen)
            self.server.seen.append(f"{self.command} {body.decode()}".strip())
        status, headers, seconds = self.server.plan[min(number, len(self.server.plan) - 1)]
        time.sleep(seconds)
        if not status:
            self.close_connection = True
            return
        text = (b"answer %d" % number).ljust(int(headers.get("X-Size", "0")))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def server(*plan: tuple[int, dict[str, str], float]) -> Iterator[Told]:
    told = Told(list(plan))
    thread = threading.Thread(target=told.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        told.shutdown()
        thread.join()
        told.server_close()
