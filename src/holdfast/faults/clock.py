"""Clocks that are wrong."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from holdfast.blueprint import Blueprint
from holdfast.faults.fault import Settings, Struck, Target, fault
from holdfast.lab.verbs import Lab
from holdfast.quantities import Duration, shown_seconds


class Skew(Settings):
    by: Duration = 3600.0
    """How far the clock is off, at once."""
    late: bool = False
    """It goes slow, not fast: it shows an earlier time."""


@fault(needs="clock", of_process=True, program="libfaketime", settings=Skew, outlasts=True)
async def clock_skew(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The wall clock that the program sees jumps, and jumps back when mended; time that is only measured (monotonic) goes on.

    Of the struck tier's programs alone: what else runs on the host keeps its time.  In a run with such a drill all programs of
    the tier are started with libfaketime, which answers them when they ask for the time; programs in Go do not ask it.
    A clock that goes back when it is mended can stop a loop that sleeps until the time of before; its lease then runs out.

    {fault: clock_skew, tier: web, target: one, by: 1h}      {fault: clock_skew, tier: db, target: primary, by: 10s, late: true}
    """
    wanted = target.settings
    by_s = -wanted.by if wanted.late else wanted.by
    try:
        for host in target.hosts:
            await lab.shift_clock(host, by_s)
        yield Struck(said=f"{target} sees a clock that is {shown_seconds(wanted.by)} {'behind' if wanted.late else 'ahead'}")
    finally:
        for host in target.hosts:
            await lab.shift_clock(host, 0.0)


def shiftable(blueprint: Blueprint, processes: frozenset[str], library: str, where: Mapping[str, str]) -> Blueprint:
    """The same, with these processes started so that their clock can be shifted; `where`: host to the path of its clock file.

    libfaketime's README: FAKETIME_TIMESTAMP_FILE is read anew every FAKETIME_CACHE_DURATION seconds.
    """

    def variables(host: str) -> dict[str, Any]:
        return {
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": where[host], "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip

    changed = tuple(
        replace(each, lab_env=variables(each.host)) if each.name in processes else each
        for each in blueprint.processes
    )
    return replace(blueprint, processes=changed)
