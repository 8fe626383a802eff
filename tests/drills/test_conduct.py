"""The conductor, in virtual time on a lab that only pretends: the same code as on a real one."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from pretend_lab import PretendLab
from pretend_service import SITE, PretendService, topology
from virtual_time import run

from holdfast.drills.changing import laboratory, with_later
from holdfast.drills.conduct import Conductor
from holdfast.drills.drill import Drill
from holdfast.errors import UNSTEADY, Refused
from holdfast.faults.changes import Scale
from holdfast.record.event import Asked, Event
from holdfast.record.measure import PathMeasure, measure_path

BEAT_S = 0.1
KILL_WEB = Drill(name="kill web", fault="kill", tier="web", target="one", hold_s=4.0)
FREEZE_WEB = Drill(name="freeze web", fault="freeze", tier="web", target="one")
KILL_DB = Drill(name="kill db", fault="kill", tier="db", target="primary", inner="postgres", hold_s=4.0)
POWER_CUT = Drill(name="power_cut db", fault="power_cut", tier="db", target="primary")
SWITCHOVER = Drill(name="switchover db", fault="switchover", tier="db", target="primary", hold_s=4.0)
SCALE_OUT = Drill(name="scale_out web", fault="scale_out", tier="web", target="all", settings=Scale(to=5), hold_s=4.0)
SCALE_IN = Drill(name="scale_in web", fault="scale_in", tier="web", target="all", settings=Scale(to=2), hold_s=4.0)


@dataclass
class Run:
    """What a run left, as the record would hold it."""

    events: list[Event] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    did: Sequence[tuple[float, str, str]] = ()
    lasted_s: float = 0.0

    def one(self, kind: str, drill: str) -> Event:
        return next(event for event in self.events if event.kind == kind and event.drill == drill)

    def outcome(self, drill: str) -> tuple[str, str]:
        detail = next(
            event.detail for event in self.events if event.kind == "drill.ended" and drill in (event.drill, event.subject)
        )
        return detail["outcome"], detail["reason"]

    def path(self, probe: str, drill: str) -> PathMeasure:
        asked = [each for each in self.asked if (each.probe, each.drill) == (probe, drill)]
        return measure_path(probe, {"every_s": BEAT_S}, asked, self.one("drill.struck", drill).at_s)


def rehearse(*drills: Drill, seed: int = 1, takeover_s: float = 20.0, beat_s: float = BEAT_S, leads: str = "db1",
             apart: bool = False, **lab_is: Sequence[str]) -> Run:
    result = Run()

    async def session() -> None:
        shop = with_later(topology(apart=apart), drills)
        lab = PretendLab(laboratory(shop, SITE), **lab_is)
        service = PretendService(lab, takeover_s, leads)
        conductor = Conductor(
            topology=shop, site=SITE, lab=lab, secrets=_secrets(), seed=seed, write=result.events.append,
            probes=[service.pages(beat_s), service.orders(beat_s)], hear=result.asked.append, wire=service.wire,
        )  # fmt: skip
        try:
            await conductor.run(drills)
        finally:
            result.did, result.lasted_s = tuple(lab.did), lab.now_s()

    run(session())
    return result


def _secrets() -> Mapping[str, str]:
    return {name: "hidden" for name in ("db-restapi", "db-app", "db-superuser", "db-replication", "db-rewind")}


def refusal(error: BaseException) -> Refused | None:
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := refusal(each))), None)
    return error if isinstance(error, Refused) else None


@pytest.mark.parametrize("takeover_s", [5.0, 20.0, 33.3])
def test_the_measured_outage_is_the_takeover_time_to_within_one_beat(takeover_s):
    found = rehearse(POWER_CUT, takeover_s=takeover_s)
    assert found.outcome(POWER_CUT.name) == ("done", "")
    outage, = found.path("orders", POWER_CUT.name).outages
    assert outage.length_s == pytest.approx(takeover_s, abs=BEAT_S + 0.05)
    assert found.path("pages", POWER_CUT.name).outages == ()


def test_an_inner_process_that_is_back_at_once_costs_as_long_as_it_was_away():
    found = rehearse(KILL_DB)
    outage, = found.path("orders", KILL_DB.name).outages
    assert outage.length_s == pytest.approx(0.6, abs=BEAT_S + 0.05)
    assert "another process" in found.one("drill.verified", KILL_DB.name).detail["proof"]


def test_a_fault_that_does_not_strike_is_void_and_the_next_drill_goes_on():
    found = rehearse(KILL_WEB, KILL_DB, deaf=["web1/command", "web2/command", "web3/command"])
    outcome, reason = found.outcome(KILL_WEB.name)
    assert outcome == "void"
    assert "no proof that kill struck" in reason
    assert found.outcome(KILL_DB.name) == ("done", "")


def test_a_service_that_never_stands_is_refused_with_the_program_and_what_it_printed():
    with pytest.raises(BaseExceptionGroup) as raised:
        rehearse(KILL_WEB, broken=["web2/command"])
    refused = refusal(raised.value)
    assert refused
    assert refused.exit_code == UNSTEADY
    problem, = refused.problems
    assert problem.where == "web2/command"
    assert "out of luck" in problem.what


def test_what_cannot_be_mended_is_told_and_the_rest_is_not_tried():
    found = rehearse(FREEZE_WEB, KILL_DB, stuck=["web1", "web2", "web3"])
    outcome, reason = found.outcome(FREEZE_WEB.name)
    assert outcome == "not_mended"
    assert "could not be mended" in reason
    assert found.outcome(KILL_DB.name) == ("skipped", f"after {FREEZE_WEB.name}")


def test_that_redundancy_was_lost_and_came_back_is_written_down():
    found = rehearse(POWER_CUT)
    struck, mended = found.one("drill.struck", POWER_CUT.name), found.one("drill.mended", POWER_CUT.name)
    lost, back = found.one("redundancy.lost", POWER_CUT.name), found.one("redundancy.back", POWER_CUT.name)
    assert struck.at_s < lost.at_s < mended.at_s < back.at_s
    assert lost.detail["missing"]


def test_a_takeover_by_another_host_is_what_was_noticed():
    found = rehearse(POWER_CUT, takeover_s=20.0)
    noticed = found.one("noticed", POWER_CUT.name)
    assert noticed.at_s - found.one("drill.struck", POWER_CUT.name).at_s == pytest.approx(20.0, abs=0.5)
    assert "db2/patroni is primary" in noticed.detail["what"]


def test_a_switchover_is_proven_by_the_new_leader():
    found = rehearse(SWITCHOVER)
    assert found.outcome(SWITCHOVER.name) == ("done", "")
    assert found.one("drill.verified", SWITCHOVER.name).detail["proof"] == "db2 leads now"


def test_every_drill_of_writes_is_audited_after_mending():
    found = rehearse(POWER_CUT)
    audit = found.one("audit", POWER_CUT.name)
    assert audit.at_s > found.one("drill.mended", POWER_CUT.name).at_s
    assert audit.detail["acknowledged"] > 0


def test_the_same_seed_strikes_the_same_hosts_at_the_same_moments():
    first, again, other = (rehearse(KILL_WEB, FREEZE_WEB, KILL_DB, seed=seed).did for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_a_drill_of_twelve_minutes_is_over_in_seconds():
    long = Drill(name="power_cut db", fault="power_cut", tier="db", target="primary", hold_s=720.0)
    began_s = time.monotonic()
    found = rehearse(long, beat_s=1.0)
    assert found.outcome(long.name) == ("done", "")
    assert found.lasted_s > 720
    assert time.monotonic() - began_s < 20, "nobody really waits"


def test_a_drill_in_which_the_lab_itself_broke_proves_nothing_and_the_next_one_may():
    found = rehearse(FREEZE_WEB, KILL_DB, brittle=["web1", "web2", "web3"])
    outcome, reason = found.outcome(FREEZE_WEB.name)
    assert outcome == "void"
    assert "the lab itself failed: a relay ended, and cut off web" in reason
    assert found.one("drill.mended", FREEZE_WEB.name)
    assert found.outcome(KILL_DB.name) == ("done", "")
def test_a_tier_that_grows_is_proven_and_finds_its_old_size_again():
    found = rehearse(SCALE_OUT, KILL_WEB)
    assert found.outcome(SCALE_OUT.name) == ("done", "")
    assert "web5/command is in service" in found.one("drill.verified", SCALE_OUT.name).detail["proof"]
    did = [(verb, who) for _, verb, who in found.did]
    assert did.index(("power_on", "web4")) < did.index(("start", "web4/command")) < did.index(("stop", "web4/command"))
    assert found.outcome(KILL_WEB.name) == ("done", ""), "the next drill finds the service as it was declared"


def test_a_tier_that_shrinks_is_not_missed_and_comes_back():
    found = rehearse(SCALE_IN)
    assert found.outcome(SCALE_IN.name) == ("done", "")
    did = [(verb, who) for _, verb, who in found.did]
    assert did.index(("stop", "web3/command")) < did.index(("start", "web3/command"))
    assert not [event for event in found.events if event.kind == "redundancy.lost"]
    assert found.path("pages", SCALE_IN.name).outages == ()


def test_instances_that_never_come_into_service_make_the_drill_void_and_are_taken_away_again():
    found = rehearse(SCALE_OUT, KILL_WEB, broken=["web5/command"])
    outcome, reason = found.outcome(SCALE_OUT.name)
    assert outcome == "void"
    assert "could not wait until web5/command is in service" in reason
    assert ("stop", "web5/command") in [(verb, who) for _, verb, who in found.did]
    assert found.outcome(KILL_WEB.name) == ("done", "")


def test_a_primary_on_a_host_that_goes_hands_over_before_it_stops_and_no_longer_than_that_are_writes_away():
    fewer = Drill(name="scale_in db", fault="scale_in", tier="db", target="all", settings=Scale(to=2), hold_s=4.0)
    found = rehearse(fewer, leads="db3", apart=True)
    assert found.outcome(fewer.name) == ("done", "")
    proof = found.one("drill.verified", fewer.name).detail
    assert "db3/patroni handed over" in proof["said"]
    assert "db3/patroni has ended and nothing answers there" in proof["proof"]
    led = [event for event in found.events if event.kind == "role" and event.detail["role"] == "primary"]
    stopped_s = next(at_s for at_s, verb, who in found.did if (verb, who) == ("stop", "db3/patroni"))
    assert led[-1].subject == "db1/patroni"
    assert led[-1].at_s < stopped_s + 0.25, "the observer looks four times a second"
    assert found.path("orders", fewer.name).outages == ()


def test_a_drill_waits_until_every_balancer_sends_to_everybody(monkeypatch):
    looks = iter([False] * 5)

    async def later(*_) -> bool:
        return next(looks, True)

    monkeypatch.setattr("holdfast.drills.rotation.in_rotation", later)
    waited = rehearse(KILL_WEB)
    monkeypatch.undo()
    assert waited.outcome("kill web")[0] == "done"
    assert waited.one("drill.steady", "kill web").at_s > rehearse(KILL_WEB).one("drill.steady", "kill web").at_s


def test_an_instance_that_no_balancer_takes_keeps_drills_from_beginning(monkeypatch):
    async def never(instance, *_) -> bool:
        return instance.name != "web2/command"

    monkeypatch.setattr("holdfast.drills.rotation.in_rotation", never)
    outcome = rehearse(KILL_WEB, KILL_DB).outcome("kill web")
    assert outcome == ("unsteady", "not every balancer sends to web2/command")
