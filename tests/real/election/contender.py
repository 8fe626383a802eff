"""One of many copies that want to lead; who leads writes numbered writes with its token to the fence, every 20 ms.

Between the look at its term and the write it takes some milliseconds, as work does; what happens to the copy in between is
for the fence to catch.  Copies with an even number are plain code, the others tasks.  GET / gives its wall clock.
"""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from holdfast.runtime import Leader, Term

TTL_S = 2.0
BEAT_S = 0.02


class Writes:
    def __init__(self) -> None:
        self._wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._fence = (os.environ["FENCE"], 7000)
        self._who = socket.gethostname()
        self._number = 0

    def looked(self, term: Term) -> str:
        """Raises HoldLost; what is to be written says when we believed that we may."""
        now_s = time.monotonic()
        term.check()
        self._number += 1
        return f"{self._who} {term.token} {self._number} {now_s:.6f}"

    def send(self, text: str) -> None:
        try:
            self._wire.sendto(text.encode(), self._fence)
        except OSError:
            pass  # off the network: the write is lost, which is no matter of this test


def thinking_s() -> float:
    return random.uniform(0, BEAT_S)


def plain(leader: Leader, writes: Writes) -> None:
    never = Event()  # libfaketime's stand-in for time.sleep fails with EINVAL in Python

    def work(term: Term) -> None:
        while True:
            text = writes.looked(term)
            never.wait(thinking_s())
            writes.send(text)
            never.wait(BEAT_S / 2)

    def leave(*_: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, leave)
    leader.run(work)


async def tasks(leader: Leader, writes: Writes) -> None:
    async def work(term: Term) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(written(term))

    async def written(term: Term) -> None:
        while True:
            text = writes.looked(term)
            await asyncio.sleep(thinking_s())
            writes.send(text)
            await asyncio.sleep(BEAT_S / 2)

    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await leader.arun(work)


def serve() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{time.time():.3f}".encode()
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        def log_message(self, *_: object) -> None: ...

    address = (os.environ["HOST"], int(os.environ["PORT"]))
    Thread(target=ThreadingHTTPServer(address, Page).serve_forever, daemon=True).start()


def main() -> None:
    serve()
    leader = Leader("writer", etcd=os.environ["ETCD"].split(","), ttl_s=TTL_S, who=socket.gethostname())
    leader.listen(lambda event: sys.stderr.write(f"{event}\n"))
    if int(socket.gethostname()[-1]) % 2 == 0:
        plain(leader, Writes())
    else:
        try:
            asyncio.run(tasks(leader, Writes()))
        except asyncio.CancelledError:
            pass


if __name__ == "__main__":
    main()
