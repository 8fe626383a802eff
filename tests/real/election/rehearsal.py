"""Run inside fresh namespaces: five contenders, struck one strike after the other; a line of JSON says what came of each.

    python -m rehearsal FOLDER SEED NUMBER,NUMBER,... LIMIT_S

Rules: strike number N of a seed is the same whatever was struck before it; the last line judges all writes of this lab.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.request
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from judge import Write, gap_s, objections, read
from strikes import CLOCK, CONTENDERS, ETCD, MUST_CHANGE_HANDS, STRIKES, Void

from holdfast.blueprint import Blueprint, File, Site
from holdfast.cli.service import kinds
from holdfast.lab import doctor
from holdfast.lab.namespaces.lab import lab_up
from holdfast.lab.verbs import Lab
from holdfast.plan import plan
from holdfast.topology.load import load

HERE = Path(__file__).parent
FAKETIME = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")
PATIENCE_S = 30.0
"""For somebody to lead again: a lease of 2 s that etcd's new leader has prolonged, elections of etcd, starts of programs."""


@cache
def faketime() -> str:
    """Debian's library for programs with threads; else the one that the drills of clocks take, as the wheel's."""
    found = next((path for path in FAKETIME if Path(path).exists()), "")
    programs, _ = doctor.find_programs(() if found else ("libfaketime",), {})
    return found or (programs["libfaketime"].path if programs else "")


def blueprint() -> Blueprint:
    programs, missing = doctor.find_programs(("etcd",), {})
    made = plan(load(HERE / "topology.yaml", kinds()), Site(lab="namespaces", programs=programs, missing=missing))
    if not faketime():
        return made
    # Leaps of the wall clock reach the contenders' programs, and no other clock of theirs.
    fake = {
        "LD_PRELOAD": faketime(), "FAKETIME_TIMESTAMP_FILE": CLOCK, "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    return replace(made, processes=tuple(
        replace(process, env={**process.env, **fake}, files={**process.files, CLOCK: File(text="+0\n")})
        if process.host in CONTENDERS else process
        for process in made.processes
    ))  # fmt: skip


class Fence:
    """What the fence wrote down, fetched as it grows."""

    def __init__(self, lab: Lab):
        self._lab, self._address = lab, lab.blueprint.host("fence1").address
        self.writes: list[Write] = []

    async def fetch(self) -> None:
        url = f"http://{self._address}:8080/log/{len(self.writes)}"
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read().decode())
        self.writes += read(text.splitlines())

    def leader(self) -> str:
        return next((write.who for write in reversed(self.writes) if write.accepted), "")

    def token(self) -> int:
        return max((write.token for write in self.writes if write.accepted), default=0)


async def steady(fence: Fence, since_s: float = 0.0, patience_s: float = PATIENCE_S) -> bool:
    """One copy has written without a gap for the last half second; what was written before `since_s` does not count."""
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s:
        await asyncio.sleep(0.1)
        await fence.fetch()
        now_s = time.monotonic()
        last = [write for write in fence.writes if write.accepted and write.received_at_s > max(since_s, now_s - 0.6)]
        if len({write.token for write in last}) == 1 and len(last) >= 5 and now_s - last[-1].received_at_s < 0.3:
            return True
    return False


async def all_up(lab: Lab) -> bool:
    """Every program answers again, so that the next strike meets the whole."""
    until_s = time.monotonic() + PATIENCE_S
    urls = [f"http://{lab.blueprint.host(name).address}:8080/" for name in CONTENDERS]
    urls += [f"http://{lab.blueprint.host(name).address}:2379/health" for name in ETCD]

    def answers(url: str) -> bool:
        try:
            return bool(urllib.request.urlopen(url, timeout=2).status == 200)
        except OSError:
            return False

    while time.monotonic() < until_s:
        if all(await asyncio.gather(*(asyncio.to_thread(answers, url) for url in urls))):
            return True
        await asyncio.sleep(0.1)
    return False


async def struck(lab: Lab, fence: Fence, seed: int, number: int) -> dict[str, Any] | None:
    """None when nobody led steadily before, so that nothing could be learnt."""
    rng = Random(f"{seed}/{number}")
    kind = rng.choice([name for name in STRIKES if name != "step_clock" or faketime()])
    if not (await all_up(lab) and await steady(fence)):
        said = {process.name: (await lab.tail(process.name, 3))[-600:] for process in lab.blueprint.processes}
        print(json.dumps(said), file=sys.stderr)
        return None
    await asyncio.sleep(rng.uniform(0, 0.7))  # over the period of the renewals
    await fence.fetch()
    leader, token, seen = fence.leader(), fence.token(), len(fence.writes)
    began_s = time.monotonic()
    void = ""
    try:
        whom = await STRIKES[kind](lab, rng, leader)
    except (Void, OSError) as error:
        whom, void = leader, str(error)
    again = await steady(fence, since_s=time.monotonic() + 0.1)  # a write of the one that was killed may be on its way
    ended_s = time.monotonic()
    new = fence.writes[seen:]
    wrong = [] if again else [f"nobody led steadily within {PATIENCE_S:g} s after it was mended"]
    wrong += [f"the strike had no effect: {void}"] if void else []
    if kind in MUST_CHANGE_HANDS and whom == leader and fence.token() <= token:
        wrong.append("the one who led was struck, and its token stayed")
    return {
        "number": number, "kind": kind, "whom": whom, "led": leader == whom.split()[0], "wrong": wrong,
        "gap_s": round(gap_s(fence.writes, began_s, ended_s), 3), "terms": len({write.token for write in new} - {token}),
        "writes": sum(write.accepted for write in new), "refused": sum(not write.accepted for write in new),
    }  # fmt: skip


async def rehearse(folder: Path, seed: int, numbers: list[int], limit_s: float) -> None:
    until_s = time.monotonic() + limit_s
    async with lab_up(blueprint(), {}, folder) as lab:
        fence = Fence(lab)
        assert await all_up(lab), [await lab.tail(process.name) for process in lab.blueprint.processes]
        for number in numbers:
            if time.monotonic() < until_s and (came := await struck(lab, fence, seed, number)) is not None:
                print(json.dumps(came), flush=True)
        await fence.fetch()
        print(json.dumps({"judged": len(fence.writes), "wrong": objections(fence.writes)}), flush=True)


if __name__ == "__main__":
    folder, seed, numbers, limit = sys.argv[1:]
    asyncio.run(rehearse(Path(folder), int(seed), [int(number) for number in numbers.split(",")], float(limit)))
