"""By which config a running HAProxy works, and to whom it sends: read from its page of statistics."""

import re
from collections.abc import Callable, Mapping

from holdfast.blueprint import File
from holdfast.engines.engine import Question
from holdfast.engines.haproxy.render import FILE, HEALTH_PORT, STATS_PATH, VERSION


def servers(host: str, read: Callable[[int, bytes], str]) -> Question:
    return Question(host=host, port=HEALTH_PORT, path=f"{STATS_PATH};csv", inside=True, read=read)


def read_reached(status: int, body: bytes) -> str:
    """`stot` is the number of sessions; health checks are not among them."""
    return _servers_of(status, body, lambda row: row.get("stot", "0") not in ("", "0"))


def read_rotation(status: int, body: bytes) -> str:
    """`UP`, or `UP 1/2` while it is about to change; a server that nobody checks is always sent to."""
    return _servers_of(status, body, lambda row: row.get("status", "").startswith(("UP", "no check")))


def _servers_of(status: int, body: bytes, fits: Callable[[dict[str, str]], bool]) -> str:
    """Manual, 9.1 CSV format: pxname, svname and so on."""
    head, *rows = body.decode(errors="replace").splitlines() or [""]
    names = head.removeprefix("# ").split(",")
    if status != 200 or "svname" not in names:
        return ""
    tables = [dict(zip(names, row.split(","), strict=False)) for row in rows]
    found = [row for row in tables if row.get("svname") not in ("FRONTEND", "BACKEND", None)]
    return " ".join(sorted(f"{row['pxname']}/{row['svname']}" for row in found if fits(row)))


def agrees(files: Mapping[str, File], host: str) -> Question | None:
    version = re.search(rf"{VERSION}[0-9a-f]+", files[FILE].text)
    if version is None:  # a config of the user's own
        return None
    said = version[0].encode()
    return Question(
        host=host, port=HEALTH_PORT, path=STATS_PATH, inside=True,
        read=lambda status, body: "yes" if status == 200 and said in body else "no",
    )
