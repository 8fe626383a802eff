"""How many targets `holdfast watch` polls on one core, a tenth of them hanging, and how well it keeps its beat.

    python -m tools.bench_watch [--targets 2000] [--seconds 15] [--rounds 3]

Targets are answered by a small server of its own on the other core; a tenth are ports whose kernel accepts connections and
nobody answers.  Then, in the same run, watch and Prometheus' blackbox_exporter take turns at the same questions, where Debian's
`prometheus-blackbox-exporter` is installed: at the greatest rate of RATES that the exporter sustains, with one core for whoever
polls.  The exporter asks when it is asked, so a poller of ours on the other core is its beat.
"""

import argparse
import asyncio
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Process
from pathlib import Path
from typing import NamedTuple

from holdfast.watch.poll import Poller
from holdfast.watch.target import Answer, Target

RATES = (100, 250, 500, 750, 1000, 1500, 2000)
SUSTAINED = 0.99
"""Of the questions of a rate, and of the targets that answer: less is not sustained."""
EVERY_S = 1.0
TIMEOUT_S = 0.9
REACH_PER_S, REACH_LATE_S = 2000, 0.050
REACHING = "watch alone"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


class Round(NamedTuple):
    """per_s: questions that ended; late: from the beat to the question, seconds; told: from the beat to a good answer;
    core: the share of one core that the polling took."""

    per_s: float
    late_p50_s: float
    late_p99_s: float
    told_p99_s: float
    core: float
    answered: float

    def sustains(self, rate: float) -> bool:
        return self.per_s >= SUSTAINED * rate and self.answered >= SUSTAINED * 0.9


def serve(ear: socket.socket) -> None:
    """Answers everything at once, on the last core, until killed."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    selector = selectors.DefaultSelector()
    ear.setblocking(False)
    selector.register(ear, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is ear:
                try:
                    wire, _ = ear.accept()
                except BlockingIOError:
                    continue
                selector.register(wire, selectors.EVENT_READ)
                continue
            wire = key.fileobj  # type: ignore[assignment]
            try:
                if wire.recv(4096):
                    wire.send(_ANSWER)
            except OSError:
                pass
            selector.unregister(wire)
            wire.close()


def targets(count: int, answering: int, hanging: int, path: str = "/") -> list[Target]:
    return [
        Target(name=f"t{number}", group="urls", member=f"t{number}", level="service", kind="http", host="127.0.0.1",
               port=hanging if number % 10 == 0 else answering, every_s=EVERY_S, timeout_s=TIMEOUT_S, path=path,
               read=lambda status, _: "yes" if status == 200 else "no")
        for number in range(count)
    ]  # fmt: skip


async def polled(watched: Sequence[Target], seconds: float) -> Round:
    """The first beat is not counted: everything begins there."""
    answers: list[Answer] = []
    task = asyncio.create_task(Poller(watched, answers.append, seed=1, wall_s=lambda: 0.0).run())
    await asyncio.sleep(EVERY_S * 1.5)
    answers.clear()
    began_s, worked_s = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    took_s, worked_s = time.perf_counter() - began_s, time.process_time() - worked_s
    counted = list(answers)
    task.cancel()
    await asyncio.wait({task})
    late = sorted(answer.late_s for answer in counted)
    told = sorted(answer.late_s + answer.took_s for answer in counted if answer.word == "yes") or [float("inf")]
    return Round(
        per_s=len(counted) / took_s, late_p50_s=late[len(late) // 2], late_p99_s=late[len(late) * 99 // 100],
        told_p99_s=told[len(told) * 99 // 100], core=worked_s / took_s,
        answered=sum(answer.word == "yes" for answer in counted) / len(counted),
    )


def pinned(core: int, count: int, answering: int, hanging: int, seconds: float) -> Round:
    """watch, on this core."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return asyncio.run(polled(targets(count, answering, hanging), seconds))
    finally:
        os.sched_setaffinity(0, everywhere)


@contextmanager
def exporter(program: str, core: int) -> Iterator[tuple[int, int]]:
    """Runs on this core; its port and its process."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        config = Path(folder) / "blackbox.yml"
        config.write_text("modules: {http: {prober: http, timeout: 900ms, http: {preferred_ip_protocol: ip4}}}\n")
        command = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})  # inherited, so that its runtime starts with one core too
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.sched_setaffinity(0, everywhere)
        try:
            time.sleep(1.0)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def blackbox(program: str, core: int, count: int, answering: int, hanging: int, seconds: float) -> Round:
    """One question to the exporter is one probe of its; a new one for each round, so that none pays for the last."""
    cores = os.sched_getaffinity(0)
    with exporter(program, core) as (port, pid):
        asked = [
            Target(name=each.name, group="urls", member=each.name, level="service", kind="http", host="127.0.0.1", port=port,
                   every_s=EVERY_S, timeout_s=EVERY_S, path=f"/probe?module=http&target=http://127.0.0.1:{each.port}/",
                   read=lambda _, body: "yes" if b"\nprobe_success 1" in body else "no")
            for each in targets(count, answering, hanging)
        ]  # fmt: skip
        os.sched_setaffinity(0, {max(cores)})
        before_s, began_s = _worked_s(pid), time.perf_counter()
        found = asyncio.run(polled(asked, seconds))
        core_share = (_worked_s(pid) - before_s) / (time.perf_counter() - began_s)
        os.sched_setaffinity(0, cores)
        return found._replace(core=core_share)


def compared(wanted: argparse.Namespace, answering: int, hanging: int) -> list[str]:
    program = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    if not program:
        return ["skipped: the comparison with blackbox_exporter, which is not installed (Debian: prometheus-blackbox-exporter)"]
    core, rate, said = min(os.sched_getaffinity(0)), 0, []
    for tried in RATES:
        found = blackbox(program, core, tried, answering, hanging, wanted.seconds / 2)
        said.append(f"{tried}/s: {found.per_s:,.0f}/s, {found.answered:.1%} good")
        if not found.sustains(tried):
            break
        rate = tried
    lines = [f"blackbox_exporter sustains {rate}/s on one core ({'; '.join(said)})"]
    if not rate:
        return lines
    ours, theirs = [], []
    for _ in range(wanted.rounds):
        ours.append(pinned(core, rate, answering, hanging, wanted.seconds))
        theirs.append(blackbox(program, core, rate, answering, hanging, wanted.seconds))
    lines.append(f"the same {rate} HTTP targets each second, a tenth hanging, one core each; median of {wanted.rounds} rounds")
    return lines + [line for name, rounds in (("watch", ours), ("blackbox_exporter", theirs)) for line in shown(name, rounds)]


def shown(name: str, rounds: Sequence[Round]) -> Iterator[str]:
    yield f"{name}:"
    for what, reach, values, unit in (
        ("questions per second", f">= {REACH_PER_S:,}", [each.per_s for each in rounds], ""),
        ("late, half of them", "", [each.late_p50_s * 1000 for each in rounds], " ms"),
        ("late, 99 % of them", f"<= {REACH_LATE_S * 1000:g} ms", [each.late_p99_s * 1000 for each in rounds], " ms"),
        ("beat to answer, 99 %", "", [each.told_p99_s * 1000 for each in rounds], " ms"),
        ("share of the core", "", [each.core * 100 for each in rounds], " %"),
        ("good answers (90 % are)", "", [each.answered * 100 for each in rounds], " %"),
    ):
        middle, least, most = statistics.median(values), min(values), max(values)
        yield f"  {what:26} {middle:9,.1f}{unit}  ({least:,.1f} to {most:,.1f})  {reach if name == REACHING else ''}".rstrip()


def _worked_s(pid: int) -> float:
    """CPU time of a process so far (proc(5), stat: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def ears():  # type: ignore[no-untyped-def]
    """The ports of the server that answers, and of the one that does not."""
    anywhere = ("127.0.0.1", 0)
    with socket.create_server(anywhere, backlog=4096) as good, socket.create_server(anywhere, backlog=4096) as bad:
        server = Process(target=serve, args=(good,), daemon=True)
        server.start()
        drain = Process(target=hold, args=(bad,), daemon=True)
        drain.start()
        try:
            yield good.getsockname()[1], bad.getsockname()[1]
        finally:
            for each in (server, drain):
                each.kill()
                each.join()


def hold(ear: socket.socket) -> None:
    """Accepts, and says nothing for two beats: a backlog that fills up would refuse instead of hanging."""
    held: list[tuple[float, socket.socket]] = []
    while True:
        wire, _ = ear.accept()
        held.append((time.monotonic(), wire))
        while held and time.monotonic() - held[0][0] > 2 * EVERY_S:
            held.pop(0)[1].close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=int, default=REACH_PER_S)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with ears() as (answering, hanging):
        rounds = [pinned(cores[0], wanted.targets, answering, hanging, wanted.seconds) for _ in range(wanted.rounds)]
        print(f"{wanted.targets} HTTP targets each second, a tenth hanging, one core; median of {wanted.rounds} rounds")
        for line in (*shown(REACHING, rounds), *compared(wanted, answering, hanging)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
