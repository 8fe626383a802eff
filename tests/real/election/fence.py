"""A resource behind an election: it takes datagrams `WHO TOKEN NUMBER BELIEVED_AT`, refuses an old token, and writes all down.

GET / says that it is there; GET /log/N gives the lines from the N-th on.  Times are CLOCK_MONOTONIC, which all hosts share here.
"""

import os
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PORT = 7000


class Fence:
    """`verdict who token number believed_at received_at` per write, in order of arrival."""

    def __init__(self) -> None:
        self.greatest = 0
        self.lines: list[str] = []

    def write(self, who: str, token: int, number: str, believed_at: str, received_at: float) -> None:
        verdict = "accepted" if token >= self.greatest else "refused"
        self.greatest = max(self.greatest, token)
        self.lines.append(f"{verdict} {who} {token} {number} {believed_at} {received_at:.6f}")


def serve(fence: Fence) -> None:
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            start = int(self.path.removeprefix("/log/")) if self.path.startswith("/log/") else len(fence.lines)
            body = "\n".join(fence.lines[start:]).encode()
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        def log_message(self, *_: object) -> None: ...

    address = (os.environ["HOST"], int(os.environ["PORT"]))
    Thread(target=ThreadingHTTPServer(address, Pages).serve_forever, daemon=True).start()


def main() -> None:
    fence = Fence()
    serve(fence)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("0.0.0.0", PORT))
        while True:
            who, token, number, believed_at = wire.recv(200).decode().split()
            fence.write(who, int(token), number, believed_at, time.monotonic())


if __name__ == "__main__":
    main()
