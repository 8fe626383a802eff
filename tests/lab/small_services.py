"""Small programs for a lab: what a test needs and nothing more.  Addresses are drawn, so that tests may run side by side."""

import os
import random
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from holdfast.blueprint import Blueprint, Host, Process, Segment

PORT = 18080


def hosts(*names: str) -> tuple[Host, ...]:
    draw = random.SystemRandom()
    network = f"127.{draw.randrange(1, 250)}.{draw.randrange(256)}"
    return tuple(Host(name=name, address=f"{network}.{number}") for number, name in enumerate(names, start=11))


def blueprint(places: tuple[Host, ...], *processes: Process) -> Blueprint:
    return Blueprint(
        service="small", hosts=places, segments=(Segment(name="lan", network="127.0.0.0/8"),), processes=processes,
    )  # fmt: skip


def shell(name: str, script: str, **more: object) -> Process:
    """`name` is HOST/PROGRAM; the script ends by exec, so that the process is the program."""
    return Process(name=name, host=name.split("/")[0], argv=("sh", "-c", script), **more)


def sleeper(name: str, **more: object) -> Process:
    return shell(name, "exec sleep 1000", **more)


def web(host: Host, page: str = "hello") -> Process:
    return shell(
        f"{host.name}/web", f"cd /tmp && exec {sys.executable} -I -u -c {shlex.quote(_WEB)} {host.address} {PORT} {page}"
    )


_WEB = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[3].encode()
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Page).serve_forever()
"""

_SEGMENT = """
import ctypes, time
print("segment", ctypes.CDLL(None).shmget(0, 4096, 0o1600), flush=True)
time.sleep(1000)
"""


def segment_maker(name: str, **more: object) -> Process:
    """Makes a System V segment, as PostgreSQL does, and prints its identifier."""
    return Process(name=name, host=name.split("/")[0], argv=(sys.executable, "-I", "-c", _SEGMENT), **more)


def escaper(name: str) -> Process:
    """Leaves a grandchild in a session of its own, whose parent is gone."""
    return shell(name, "(setsid sh -c 'exec sleep 1001' &) ; exec sleep 1000")


def segments() -> frozenset[int]:
    with open("/proc/sysvipc/shm") as lines:
        return frozenset(int(line.split()[1]) for line in list(lines)[1:])


def mentioning(text: str) -> Mapping[int, str]:
    """Processes whose command line, environment or directory holds the text.  PostgreSQL overwrites the first two."""
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                words = b"\0".join([
                    (path / "cmdline").read_bytes(), os.readlink(path / "cwd").encode(), (path / "environ").read_bytes(),
                ])  # fmt: skip
            except OSError:
                continue
            if text.encode() in words:
                found[int(path.name)] = words.replace(b"\0", b" ").decode(errors="replace")[:300]
    return found

