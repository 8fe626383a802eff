"""A clock is shifted under a running program, also where hosts are only folders."""

import os
import sys
from pathlib import Path

import pytest
from small_services import blueprint, hosts
from test_loopback import eventually, in_lab

from holdfast.blueprint import Process
from holdfast.faults.clock import shiftable
from holdfast.lab import doctor
from holdfast.lab.verbs import CLOCK_FILE, Lab

OFF_S = 5000
CLOCK = "import time\nwhile True:\n    print(int(time.time()), int(time.monotonic()), flush=True)\n    time.sleep(0.1)"


def library() -> str:
    found, missing = doctor.find_programs(["libfaketime"], {})
    if missing and os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1":
        pytest.fail(missing["libfaketime"].what)
    if missing:
        pytest.skip(missing["libfaketime"].what)
    return found["libfaketime"].path


async def times(lab: Lab, process: str) -> tuple[int, int]:
    """Wall clock and monotonic clock as it last printed them; a line that is being written does not count."""
    *whole, _ = ["0 0", "0 0", *(await lab.tail(process)).splitlines()]
    wall, monotonic = whole[-1].split()
    return int(wall), int(monotonic)


def test_a_running_program_sees_its_clock_jump_and_jump_back_while_its_neighbour_does_not(tmp_path: Path) -> None:
    one, two = hosts("one", "two")
    programs = [Process(name=f"{host.name}/clock", host=host.name, argv=(sys.executable, "-c", CLOCK)) for host in (one, two)]
    where = {host.name: f"{tmp_path}/hosts/{host.name}{CLOCK_FILE}" for host in (one, two)}
    service = shiftable(blueprint((one, two), *programs), frozenset({"one/clock", "two/clock"}), library(), where)

    async def story(lab: Lab) -> None:
        async def apart() -> int:
            (first, first_runs), (second, second_runs) = await times(lab, "one/clock"), await times(lab, "two/clock")
            assert abs(first_runs - second_runs) <= 3 or 0 in (first, second)
            return first - second if first and second else 0

        async def jumped() -> bool:
            return abs(await apart() + OFF_S) <= 3

        async def right() -> bool:
            return abs(await apart()) <= 3

        await eventually(lambda: times(lab, "one/clock"))
        await eventually(right)
        await lab.shift_clock("one", -OFF_S)
        await eventually(jumped)
        await lab.shift_clock("one", 0.0)
        await eventually(right)

    in_lab(service, tmp_path, story)


def test_a_library_is_tried_before_it_is_trusted(tmp_path: Path) -> None:
    broken = tmp_path / "libfaketime.so.1"
    broken.write_bytes(b"no library at all")
    broken.chmod(0o755)

    found, missing = doctor.find_programs(["libfaketime"], {"libfaketime": broken})

    assert not found
    assert "does not run" in missing["libfaketime"].what
