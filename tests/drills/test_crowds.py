"""An overload is refused where nobody could tell what it offers, and proven by what the client's kernel counted."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdfast.cli.service import sensible
from holdfast.drills.drill import declared
from holdfast.drills.verify import CHECKS
from holdfast.errors import Refused
from holdfast.faults.fault import Struck
from tools.balancers import topology as example

CROWD = "{fault: overload, tier: web, probe: work, times: 2, for: 8s, objectives: {goodput: 90%}}"
PROOF = {"due": 1920.0, "opened": 1990.0, "refused": 900.0, "late": 3.0, "failed": 0.0, "lasted_s": 8.0, "capacity": 120.0}


def changed(folder: Path, *changes: tuple[str, str]) -> str:
    text = example("nginx", "crowd")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "topology.yaml").write_text(text)
    return str(folder)


def test_the_example_offers_twice_of_all_hosts_for_as_long_as_it_says(tmp_path: Path):
    _, drill = declared(sensible(changed(tmp_path)))
    assert (drill.fault, drill.target, drill.settings.times, drill.hold_s) == ("overload", "all", 2.0, 8.0)


@pytest.mark.parametrize(("old", "new", "why", "remedy"), [
    ("    capacity: 40 ", "    # capacity: 40 ", "web declares no capacity", "capacity: 100"),
    ("probe: work", "probe: nobody", "nobody is no probe", "write one of pages, stock, work"),
    ("tier: web, probe", "tier: stock, probe", "stock declares no capacity", "capacity: 100"),
    ("fault: overload, tier: web, probe: work, times: 2,", "fault: kill, tier: web,", "kill offers no load", "overload"),
    ("probe: work, times", "probe: work, target: one, times", "", ""),
    ("probe: work, times", "probe: work, target: all, times", "concerns the whole tier", "remove `target:`"),
])
def test_an_overload_without_sense_is_refused(tmp_path: Path, old: str, new: str, why: str, remedy: str):
    folder = changed(tmp_path, (old, new))
    if not why:
        assert sensible(folder)
        return
    with pytest.raises(Refused) as raised:
        sensible(folder)
    assert any(why in problem.what and remedy in problem.remedy for problem in raised.value.problems), raised.value.problems


def test_what_a_probe_asks_of_somebody_else_is_no_load_for_this_tier(tmp_path: Path):
    asked = ("http://entry/work", "http://stock/work")
    with pytest.raises(Refused, match="what work asks is not served by web"):
        sensible(changed(tmp_path, asked))


def test_a_goodput_that_no_drill_measures_is_told(tmp_path: Path):
    crowd = example("nginx", "crowd").rpartition("  - {fault: overload")[0]
    (tmp_path / "topology.yaml").write_text(f"objectives: {{goodput: 90%}}\n{crowd}")
    with pytest.raises(Refused, match="no drill measures the objective goodput"):
        sensible(str(tmp_path))


@pytest.mark.parametrize(("figures", "proven"), [
    (PROOF, True),
    (PROOF | {"opened": 1500.0}, False),
    (PROOF | {"refused": 0.0, "late": 0.0}, False),
], ids=["struck", "fewer connections than were due", "everybody was served"])
def test_it_struck_if_the_kernel_counted_the_connections_and_somebody_was_not_served(figures: dict[str, float], proven: bool):
    strike = SimpleNamespace(evidence=Struck(figures=figures))
    assert bool(asyncio.run(CHECKS["overload"](strike))) is proven
