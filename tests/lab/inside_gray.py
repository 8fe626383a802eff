"""Run by test_gray_lab inside fresh namespaces: every fault that leaves a program alive, in one lab of two web hosts.

Of each it tells what its own proof says before the strike, while it lasts and after the mending, in a line of JSON.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from holdfast.blueprint import Site
from holdfast.cli.describe import impossible
from holdfast.cli.service import sensible
from holdfast.cli.tools import prepared, tools_for, unable, with_tools
from holdfast.drills.aim import aim
from holdfast.drills.asking import Asker
from holdfast.drills.drill import Drill
from holdfast.drills.observe import Observer
from holdfast.drills.strike import Strike
from holdfast.drills.verify import CHECKS
from holdfast.engines.catalogue import ENGINES
from holdfast.faults.catalogue import FAULTS
from holdfast.faults.fault import Struck
from holdfast.lab.namespaces.lab import lab_up
from holdfast.lab.verbs import Lab
from holdfast.plan import plan
from holdfast.topology.model import Topology

TOPOLOGY = sensible(str(Path(__file__).parent / "gray_service"))
CASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "wrong": ("alive_but_wrong", {"status": 500}),
    "wrong at times": ("alive_but_wrong", {"share": "40%"}),
    "slow": ("slow_answers", {"delay": "600ms"}),
    "cut": ("dependency_down", {"dependency": "back"}),
    "skewed": ("clock_skew", {"by": "1h", "late": True}),
    "stalled": ("disk_slow", {"stall": "300ms"}),
    "read-only": ("disk_read_only", {}),
    "starved": ("oom", {}),
}
LOOK_S = 0.05
PROOF_S = 6.0


def drill_of(name: str) -> Drill:
    fault, settings = CASES[name]
    return Drill(name=name, fault=fault, tier="web", target="web1", settings=FAULTS[fault].settings(**settings))


class Story:
    """One drill, struck and looked at by hand."""

    def __init__(self, lab: Lab, site: Site, topology: Topology, drill: Drill):
        self.lab, self.site, self.topology, self.drill = lab, site, topology, drill
        self.asker, self.observer = Asker(lab, site), Observer(topology, site, lab, lambda *_: None)
        self.instances = topology.instances_of("web")[:1]
        self.target = aim(drill, self.instances, topology, self.asker, self.observer, {}, 1, site)

    async def proof(self, evidence: Struck) -> str:
        questions = tuple(ENGINES[each.engine].questions(each, self.topology) for each in self.instances)
        return await CHECKS[self.drill.fault](
            Strike(
                drill=self.drill, instances=self.instances, target=self.target, evidence=evidence, questions=questions,
                reloaded="", printed={}, lab=self.lab, asker=self.asker, observer=self.observer, ended=frozenset(),
            )
        )  # fmt: skip

    async def until(self, wanted: bool, evidence: Struck) -> str:
        """The proof as it is, or as it has become after a while."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + PROOF_S
        while bool(proof := await self.proof(evidence)) != wanted and loop.time() < until_s:
            await self.asked()  # a program of which nobody wants anything needs no memory
            await asyncio.sleep(LOOK_S)
        return proof

    async def asked(self) -> str:
        question = ENGINES["command"].questions(self.instances[0], self.topology).service
        assert question
        return await self.asker.word(question)

    async def serves(self) -> str:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + PROOF_S
        while (word := await self.asked()) != "yes" and loop.time() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        return word

    async def told(self) -> dict[str, Any]:
        before = await self.proof(Struck())
        async with FAULTS[self.drill.fault].strike(self.lab, self.target) as struck:
            during = await self.until(True, struck)
            alive = [asdict(state)["life"] for state in await self.lab.states("web1") if state.name == "web1/command"]
        after = await self.until(False, struck)
        return {
            "before": before, "during": during, "after": after, "alive": alive, "serves": await self.serves(),
            "left": [state.name for state in await self.lab.states("web1")],
        }  # fmt: skip


KILL_ENVOY = """
import os, pathlib
for entry in pathlib.Path("/proc").iterdir():
    if entry.name.isdigit() and (entry / "comm").read_text().strip() == "envoy":
        os.kill(int(entry.name), 9)
"""


async def bereft(lab: Lab, site: Site) -> dict[str, Any]:
    """What stands in front dies while a drill lasts."""
    story = Story(lab, site, TOPOLOGY, drill_of("wrong"))
    async with FAULTS[story.drill.fault].strike(lab, story.target):
        before = lab.troubles()
        await lab.run("web1", [sys.executable, "-I", "-S", "-c", KILL_ENVOY])
        await asyncio.sleep(0.3)
        during = lab.troubles()
    return {"before": before, "during": during, "after": lab.troubles(), "serves": await story.serves()}


async def session(folder: Path, only: list[str]) -> None:
    drills = tuple(drill_of(name) for name in only or CASES)
    tools = tools_for(drills)
    site = with_tools(Site(lab="namespaces"), tools)
    bare = plan(TOPOLOGY, site)
    hindered = unable(drills, TOPOLOGY, site, bare, tools)
    async with lab_up(prepared(bare, drills, TOPOLOGY, site, hindered), {}, folder) as lab:
        for drill in drills:
            story = Story(lab, site, TOPOLOGY, drill)
            assert await story.serves() == "yes"
            if reason := hindered.get(drill.name) or impossible(lab, drill):
                seen: dict[str, Any] = {"skipped": reason}
            elif only:
                async with FAULTS[drill.fault].strike(lab, story.target):
                    print("struck", flush=True)
                    await asyncio.Event().wait()
            else:
                seen = await story.told()
            print(json.dumps({drill.name: seen}), flush=True)
        print(json.dumps({"bereft": await bereft(lab, site)}), flush=True)


if __name__ == "__main__":
    asyncio.run(session(Path(sys.argv[1]), sys.argv[2:]))
