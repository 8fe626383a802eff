"""How many targets `holdfast watch` polls on one core, a tenth of them hanging, and how well it keeps its beat.

    python -m tools.bench_watch [--targets 2000] [--seconds 15] [--rounds 3]

Targets are answered by a small server of its own on the other core; a tenth are ports whose kernel accepts connections and
nobody answers.  Beside it, in the same run, what Prometheus' blackbox_exporter costs for the same questions where Debian's
`prometheus-blackbox-exporter` is installed.
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
from collections.abc import Sequence
from contextlib import contextmanager
from multiprocessing import Process
from pathlib import Path
from typing import NamedTuple

from holdfast.watch.poll import Poller
from holdfast.watch.target import Answer, Target

EVERY_S = 1.0
TIMEOUT_S = 0.9
REACH_PER_S, REACH_LATE_S = 2000, 0.050
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


class Round(NamedTuple):
    """per_s: questions that ended; late: of the beats, seconds; core: the share of one core that the polling took."""

    per_s: float
    late_p50_s: float
    late_p99_s: float
    core: float
    answered: float


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
    return Round(
        per_s=len(counted) / took_s, late_p50_s=late[len(late) // 2], late_p99_s=late[len(late) * 99 // 100],
        core=worked_s / took_s, answered=sum(answer.word == "yes" for answer in counted) / len(counted),
    )


def blackbox(count: int, answering: int, hanging: int, seconds: float) -> str:
    """Asked through our own poller: one question to the exporter is one probe of its."""
    program = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    if not program:
        return "blackbox_exporter: not installed (Debian: prometheus-blackbox-exporter)"
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        config = Path(folder) / "blackbox.yml"
        config.write_text("modules: {http: {prober: http, timeout: 900ms, http: {preferred_ip_protocol: ip4}}}\n")
        command = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            asked = [
                Target(name=each.name, group="urls", member=each.name, level="service", kind="http", host="127.0.0.1", port=port,
                       every_s=EVERY_S, timeout_s=EVERY_S, path=f"/probe?module=http&target=http://127.0.0.1:{each.port}/",
                       read=lambda _, body: "yes" if b"\nprobe_success 1" in body else "no")
                for each in targets(count, answering, hanging)
            ]  # fmt: skip
            before_s = _worked_s(process.pid)
            found = asyncio.run(polled(asked, seconds))
            cost_s = (_worked_s(process.pid) - before_s) / (seconds + 1.5)
            return (f"blackbox_exporter: {found.per_s:,.0f} probes per second of {count / EVERY_S:,.0f} asked for, "
                    f"{found.answered:.0%} good (90% are), {cost_s:.0%} of a core for itself")
        finally:
            process.kill()
            process.wait()


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
        os.sched_setaffinity(0, {cores[0]})
        rounds = [asyncio.run(polled(targets(wanted.targets, answering, hanging), wanted.seconds)) for _ in range(wanted.rounds)]
        os.sched_setaffinity(0, set(cores))
        print(f"watch, {wanted.targets} HTTP targets each second, a tenth hanging, one core; median of {wanted.rounds} rounds")
        for name, reach, values, unit in (
            ("questions per second", f">= {REACH_PER_S:,}", [each.per_s for each in rounds], ""),
            ("late, half of them", "", [each.late_p50_s * 1000 for each in rounds], " ms"),
            ("late, 99 % of them", f"<= {REACH_LATE_S * 1000:g} ms", [each.late_p99_s * 1000 for each in rounds], " ms"),
            ("share of the core", "", [each.core * 100 for each in rounds], " %"),
            ("good answers (90 % are)", "", [each.answered * 100 for each in rounds], " %"),
        ):
            middle, least, most = statistics.median(values), min(values), max(values)
            print(f"  {name:26} {middle:9,.1f}{unit}  ({least:,.1f} to {most:,.1f})  {reach}")
        print("  " + blackbox(wanted.targets, answering, hanging, wanted.seconds))


if __name__ == "__main__":
    main()
