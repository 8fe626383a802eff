"""kill -9 of holdfast: within 3 seconds no process, listening socket, shared memory or file of the lab is left."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from small_services import PORT, hosts, mentioning, segments

from holdfast.lab.doctor import find_programs
from holdfast.lab.processes import everyone_below, stat_of

LEFT_S = 3.0
SHOP = Path(__file__).parents[2] / "examples" / "shop"

# What a holdfast with a small lab does, as a program of its own, so that it can be killed.
_KEEPER = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[1])
from small_services import blueprint, escaper, hosts, segment_maker, sleeper, web, Host
from holdfast.lab.loopback import lab_up
async def keep():
    one, two = Host(name="one", address=sys.argv[3]), Host(name="two", address=sys.argv[4])
    service = blueprint((one, two), web(one), escaper("one/escaper"), segment_maker("two/maker"), sleeper("two/sleep"))
    async with lab_up(service, {}, pathlib.Path(sys.argv[2])) as lab:
        while not await lab.tail("two/maker"):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        await lab.pause("two")
        print("kept", flush=True)
        await asyncio.sleep(1000)
asyncio.run(keep())
"""


@contextmanager
def kept(folder: Path, addresses: tuple[str, str]) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", _KEEPER, str(Path(__file__).parent), str(folder), *addresses]
    keeper = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert keeper.stdout
        assert keeper.stdout.readline() == "kept\n"
        yield keeper
    finally:
        keeper.kill()
        keeper.wait(10)
        assert keeper.stdout
        keeper.stdout.close()


def within(limit_s: float, look: Callable[[], object]) -> bool:
    until_s = time.monotonic() + limit_s
    while not look():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.05)
    return True


def listens(address: str) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex((address, PORT)) == 0


def left_of(folder: Path) -> list[str]:
    """Every process that names the folder, and the files of hosts."""
    return [*mentioning(str(folder)).values(), *(str(path) for path in folder.glob("hosts"))]


def test_after_kill_9_nothing_is_left_within_three_seconds(tmp_path):
    one, two = hosts("one", "two")
    with kept(tmp_path, (one.address, two.address)) as holdfast:
        made = int((tmp_path / "logs" / "two-maker.log").read_text().split()[1])
        assert made in segments()
        assert within(2, lambda: listens(one.address))
        assert any("sleep 1001" in words for words in mentioning(str(tmp_path)).values())

        holdfast.send_signal(signal.SIGKILL)
        holdfast.wait(1)

        assert within(LEFT_S, lambda: not left_of(tmp_path)), left_of(tmp_path)
        assert made not in segments()
        assert not listens(one.address)


def test_supervisors_do_not_mind_what_a_terminal_sends(tmp_path):
    one, two = hosts("one", "two")
    with kept(tmp_path, (one.address, two.address)) as holdfast:
        supervisors = [pid for pid in mentioning("loopback_host") if parent_of(pid) == holdfast.pid]
        assert len(supervisors) == 2
        assert all(os.getsid(pid) == pid for pid in supervisors)
        for pid in supervisors:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, number)
        time.sleep(0.2)
        assert all(parent_of(pid) == holdfast.pid for pid in supervisors)
        assert listens(one.address)


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.mark.real
def test_after_kill_9_nothing_is_left_of_the_real_shop(tmp_path):
    _, missing = find_programs(["envoy", "etcd", "patroni", "postgres"], {})
    if missing:
        if os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1":
            pytest.fail("; ".join(map(str, missing.values())))
        pytest.skip("; ".join(problem.what for problem in missing.values()))
    shared = set(os.listdir("/dev/shm"))
    argv = [sys.executable, "-m", "holdfast", "drill", str(SHOP), "--lab", "loopback", "--runs", str(tmp_path), "--seed", "1"]
    with open(tmp_path / "said", "w") as said:
        holdfast = subprocess.Popen(argv, stdout=said, stderr=said, start_new_session=True)
    try:
        # Every PostgreSQL makes a segment: with the third one all three run, and the shop in front of them as well.
        assert within(60, lambda: len(made_by(below(holdfast.pid))) >= 3), (tmp_path / "said").read_text()
        programs = below(holdfast.pid)
        ours = made_by(programs)
        holdfast.send_signal(signal.SIGKILL)
        holdfast.wait(1)
        # Eight supervisors end thirty programs on two processors that may be busy: that they do is claimed here, not how soon.
        assert within(4 * LEFT_S, lambda: not still(programs)), still(programs)
        assert within(LEFT_S, lambda: not [*mentioning(str(tmp_path)), *tmp_path.glob("*/hosts")]), mentioning(str(tmp_path))
        assert not ours & segments()
        assert {name for name in os.listdir("/dev/shm") if name.startswith("PostgreSQL.")} <= shared
        assert (next(tmp_path.glob("shop-*")) / "record.sqlite").exists(), "the evidence is kept"
    finally:
        holdfast.kill()
        holdfast.wait(10)


def below(holdfast: int) -> dict[int, str]:
    """Every process that descends from it, with its start time, by which it is known from a later one of the same number."""
    return {pid: stat[2] for pid in everyone_below(holdfast) if (stat := stat_of(pid))}


def still(programs: Mapping[int, str]) -> dict[int, str]:
    """Those that run.  A supervisor that has ended may lie as a zombie until the machine's process 1 looks."""
    found = {}
    for pid, began in programs.items():
        if (stat := stat_of(pid)) and stat[2] == began and stat[0] not in "ZX":
            with suppress(OSError):  # it ends while it is looked at
                found[pid] = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    return found


def made_by(processes: Collection[int]) -> frozenset[int]:
    with open("/proc/sysvipc/shm") as lines:
        rows = [line.split() for line in lines][1:]
    return frozenset(int(row[1]) for row in rows if int(row[4]) in processes)
