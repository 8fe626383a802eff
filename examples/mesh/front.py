"""A front page made of another tier's page, which it asks of HOLDFAST_PAGES_URLS: one address, its own sidecar's.

It tries once and gives up after HOLDFAST_PAGES_TIMEOUT_S.  Trying again, choosing an instance and encryption are the sidecar's.
"""

import http.client
import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HERE = socket.gethostname()
PAGES = urlsplit(os.environ["HOLDFAST_PAGES_URLS"].split(",")[0])
STOPPING = threading.Event()
TIMEOUT_S = float(os.environ["HOLDFAST_PAGES_TIMEOUT_S"])


def page(path: str) -> tuple[int, bytes]:
    assert PAGES.hostname
    connection = http.client.HTTPConnection(PAGES.hostname, PAGES.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 502, f"no page: {error}\n".encode()
    finally:
        connection.close()


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # an answer leaves as a whole

    def do_GET(self) -> None:
        status, body = (200, b"ready\n") if self.path == "/ready" else page(self.path)
        if status == 200 and self.path != "/ready":
            body = f"front of {HERE}, page {body.decode()}".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if STOPPING.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing for each request."""


def stop(*_: object) -> None:
    STOPPING.set()
    threading.Thread(target=server.shutdown).start()


server = ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Front)
server.daemon_threads = True
signal.signal(signal.SIGTERM, stop)
server.serve_forever(poll_interval=0.05)
server.socket.close()
time.sleep(0.3)  # what is under way is answered; connections that only wait are not waited for
