"""How soon the next one leads: after a clean exit, and after a crash with a lease of 5 s; holdfast beside a pinned peer.

python tools/bench_election.py [--rounds 20] [--crashes 10] [--only tasks]      needs etcd on PATH, measures what is installed

Rules: holder and waiter are processes of their own, at one etcd of one member that is thrown away afterwards; times are of the
monotonic clock that they share, from before the holder begins to give back (or from the kill) until the waiter holds.
"""

import argparse
import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
TTL_S = 5.0
GOALS = {"clean exit": 0.1, "crash": TTL_S + 1.0}
PEERS = {"aetcd": "1.0.0"}


# --- one contender, run as a child: `hold KIND URL NAME`


def say(word: str) -> None:
    print(word, repr(time.monotonic()), flush=True)


def plain(url: str, name: str) -> None:
    from holdfast.runtime import Leader

    with Leader(name, etcd=[url], ttl_s=TTL_S):
        say("held")
        sys.stdin.readline()
        say("releasing")


async def tasks(url: str, name: str) -> None:
    from holdfast.runtime import Leader

    async with Leader(name, etcd=[url], ttl_s=TTL_S):
        say("held")
        await asyncio.to_thread(sys.stdin.readline)
        say("releasing")


async def aetcd(url: str, name: str) -> None:
    """Its lock has no keeper, so the renewals are made here, as often as holdfast makes its own."""
    import aetcd

    async with aetcd.Client(host=urlsplit(url).hostname, port=urlsplit(url).port) as client:
        lock = client.lock(f"/bench/{name}".encode(), ttl=int(TTL_S))
        await lock.acquire(timeout=None)
        say("held")
        line = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        while not (await asyncio.wait({line}, timeout=TTL_S / 4))[0]:
            await lock.refresh()
        say("releasing")
        await lock.release()


def hold(kind: str, url: str, name: str) -> None:
    if kind == "holdfast, plain":
        plain(url, name)
    else:
        asyncio.run({"holdfast, tasks": tasks, "aetcd lock": aetcd}[kind](url, name))


# --- the measurement


class Contender:
    def __init__(self, kind: str, url: str, name: str):
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), "hold", kind, url, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip

    def said(self, word: str) -> float:
        assert self.process.stdout
        line = self.process.stdout.readline().split()
        assert line, "the contender ended"
        assert line[0] == word, line
        return float(line[1])

    def release(self) -> float:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.said("releasing")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def handed_over_s(kind: str, url: str, name: str, crash: bool) -> float:
    holder = Contender(kind, url, name)
    waiter = None
    try:
        holder.said("held")
        waiter = Contender(kind, url, name)
        # Long enough for it to wait; not a multiple of the renewals' period, so that crashes meet all phases.
        time.sleep(1.7)
        if crash:
            began_s = time.monotonic()
            holder.process.kill()
        else:
            began_s = holder.release()
        return waiter.said("held") - began_s
    finally:
        holder.end()
        if waiter is not None:
            waiter.end()


@contextlib.contextmanager
def etcd() -> Iterator[str]:
    program = shutil.which("etcd")
    if program is None:
        sys.exit("etcd is not on PATH: make engines")
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as server:
            ports.append(server.getsockname()[1])
    client, peer = (f"http://127.0.0.1:{port}" for port in ports)
    with tempfile.TemporaryDirectory() as folder:
        words = [program, "--data-dir", folder, "--listen-client-urls", client, "--advertise-client-urls", client]
        process = subprocess.Popen([*words, "--listen-peer-urls", peer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until_s = time.monotonic() + 30
            while not healthy(client) and time.monotonic() < until_s:
                time.sleep(0.05)
            yield client
        finally:
            process.kill()
            process.wait()


def healthy(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{url}/health", timeout=2).status == 200)
    except OSError:
        return False


def candidates() -> list[str]:
    peers = ["aetcd lock"] if importlib.util.find_spec("aetcd") else []
    return ["holdfast, plain", "holdfast, tasks", *peers]


def version(kind: str) -> str:
    package = kind.split()[0]
    return f"{kind} {importlib.metadata.version(package)}" if package in PEERS else kind


def row(what: str, kind: str, figures: list[float]) -> str:
    goal = GOALS[what]
    verdict = "reached" if max(figures) <= goal else "MISSED"
    middle = statistics.median(figures)
    return (
        f"{what:<11} {version(kind):<20} {min(figures):8.3f} {middle:8.3f} {max(figures):8.3f}   n={len(figures):<3}"
        f" goal {goal:g} s{'' if kind not in ('holdfast, plain', 'holdfast, tasks') else ': ' + verdict}"
    )


def main() -> None:
    if sys.argv[1:2] == ["hold"]:
        hold(*sys.argv[2:5])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="clean exits per candidate")
    parser.add_argument("--crashes", type=int, default=10, help="crashes per candidate")
    parser.add_argument("--only", default="", help="candidates whose name has this word")
    asked = parser.parse_args()
    found: dict[tuple[str, str], list[float]] = {}
    with etcd() as url:
        for number in range(max(asked.rounds, asked.crashes)):
            for kind in (each for each in candidates() if asked.only in each):
                for what, times in (("clean exit", asked.rounds), ("crash", asked.crashes)):
                    if number < times:
                        name = f"{kind}-{what}-{number}".replace(",", "").replace(" ", "-")
                        found.setdefault((what, kind), []).append(handed_over_s(kind, url, name, what == "crash"))
    print(f"hand-over in seconds, one etcd of one member; Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"{'after':<11} {'candidate':<20} {'least':>8} {'median':>8} {'greatest':>8}")
    for (what, kind), figures in sorted(found.items()):
        print(row(what, kind, figures))


if __name__ == "__main__":
    main()
