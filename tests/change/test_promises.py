"""What a planned change promises, whether or not the user says so."""

from dataclasses import replace

import pytest
from versions import CLASSIC, SITE, with_settings

from holdfast.change.version import scaled, whole
from holdfast.cli.describe import _drill
from holdfast.drills.changing import laboratory, touches_database, with_later
from holdfast.drills.drill import Drill
from holdfast.drills.suites import drills_of
from holdfast.faults.changes import Scale, Towards
from holdfast.plan import plan


def drill(fault: str, tier: str, **settings: object) -> Drill:
    made = {"scale_out": Scale, "scale_in": Scale, "config_change": Towards}.get(fault)
    return Drill(name=fault, fault=fault, tier=tier, target="all", settings=made(**settings) if made else None)


def promised(each: Drill, topology=CLASSIC) -> tuple[object, object]:
    limits = _drill(each, topology).get("objectives", {})
    return limits.get("errors"), limits.get("failed_writes")


@pytest.mark.parametrize(("each", "found"), [
    (drill("scale_out", "web", to=5), (0, 0)),
    (drill("scale_in", "web", to=2), (0, 0)),
    (drill("reload", "entry"), (0, 0)),
    (drill("scale_out", "entry", to=3), (0, None)),
    (drill("scale_out", "db", to=4), (None, None)),
    (drill("password_change", "db"), (None, None)),
], ids=str)  # fmt: skip
def test_a_tier_without_state_promises_no_error_and_sessions_end_only_with_their_balancer(each, found):
    assert promised(each) == found


def test_a_change_of_settings_promises_no_error_unless_a_database_changes_too():
    entry = replace(CLASSIC, later={"next.yaml": with_settings(CLASSIC, "entry", check_interval=1.0)})
    base = replace(CLASSIC, later={"next.yaml": with_settings(CLASSIC, "db", ttl=25.0)})
    change = drill("config_change", "entry", to="next.yaml")
    assert (touches_database(change, entry), touches_database(change, base)) == (False, True)
    assert promised(change, entry) == (0, 0)


def test_hosts_that_only_come_later_are_spares_of_the_lab_and_nothing_else_differs():
    grown = with_later(CLASSIC, (drill("scale_out", "web", to=5), drill("scale_in", "web", to=2)))
    lab, now = laboratory(grown, SITE), plan(CLASSIC, SITE)
    assert [host.name for host in lab.hosts if host.spare] == ["web4", "web5"]
    assert lab.processes[: len(now.processes)] == now.processes
    assert {process.name for process in lab.processes[len(now.processes) :]} == {"web4/command", "web5/command"}
    assert lab.names["web4"] == ("10.0.1.24",)


def test_a_lab_for_no_change_is_the_service_itself():
    assert laboratory(CLASSIC, SITE) == plan(CLASSIC, SITE) == whole(plan(CLASSIC, SITE), [plan(scaled(CLASSIC, "web", 2), SITE)])


def test_the_standard_suite_changes_sizes_and_the_password_and_that_of_every_change_does_not():
    names = {suite: {each.name for each in drills_of(CLASSIC, suite)} for suite in ("pr", "standard", "full")}
    assert {"scale_out web", "scale_in web", "password_change db"} <= names["standard"]
    assert "scale_out db" in names["full"] - names["standard"]
    assert not any(name.startswith(("scale", "password", "config")) for name in names["pr"])
