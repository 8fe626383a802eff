"""What is promised before anything runs: chains of steps whose numbers come from settings."""

import json
from dataclasses import replace
from math import inf

import pytest

from holdfast.cli.describe import strike_of
from holdfast.cli.service import sensible
from holdfast.drills.suites import SUITES, drills_of
from holdfast.faults.catalogue import FAULTS
from holdfast.predict import changed
from holdfast.predict.promise import Promise, promises
from holdfast.predict.strike import NATURES, Strike
from holdfast.predict.yearly import Prediction
from holdfast.topology.model import Topology

CLASSIC, SHOP = "examples/classic", "examples/shop"


def topology(example: str = CLASSIC, **changes: dict[str, object]) -> Topology:
    """The example, with settings of tiers changed: `db={"ttl": 40.0}`."""
    found = sensible(example)
    tiers = dict(found.tiers)
    for tier, settings in changes.items():
        tiers[tier] = tiers[tier].model_copy(update={"settings": tiers[tier].settings.model_copy(update=settings)})
    return replace(found, tiers=tiers)


def of(strike: Strike, whole: Topology, probe: str = "orders", leader_struck: bool | None = None, **case: bool) -> Promise:
    """In the case where this turns out to be so."""
    case |= {} if leader_struck is None else {"leader": leader_struck}
    found = [each for each in promises(strike, whole) if each.probe == probe]
    found = [each for each in found if all(case.get(fact) == value for fact, value in each.when.items())]
    assert len(found) == 1
    return found[0]


LOST = Strike(fault="power_cut", tier="db", target="primary")
CRASHED = Strike(fault="kill", tier="db", target="primary")
HANDED_OVER = Strike(fault="switchover", tier="db", target="primary")


def test_a_lost_primary_costs_its_lease_and_what_follows():
    promise = of(LOST, topology(), leader_struck=False)
    assert [step.step for step in promise.chain] == ["lease", "revoke", "poll", "promote", "in", "seen", "seen"]
    assert promise.low_s == pytest.approx(19.1)
    assert promise.high_s == pytest.approx(sum(step.high_s for step in promise.chain))
    assert promise.costliest.setting == "ttl"


def test_the_lease_begins_anew_when_etcds_leader_is_lost_with_its_holder():
    alone, together = (of(LOST, topology(), leader_struck=case) for case in (False, True))
    assert together.low_s > alone.low_s + 2
    assert together.high_s > alone.high_s + 2


@pytest.mark.parametrize(("strike", "tier", "setting", "before", "after", "grows_s"), [
    (LOST, "db", "ttl", 20.0, 40.0, (20, 20)),
    (CRASHED, "db", "loop_wait", 1.0, 2.0, (0, 1)),
    (Strike(fault="power_cut", tier="entry", target="active"), "entry-vip", "advert", 0.1, 0.2, (0.2, 0.3 + 0.1 * 107 / 256)),
    (Strike(fault="freeze", tier="web", target="all", hold_s=9, longest_s=9), "entry", "check_interval", 0.25, 0.5, (0, 0.25)),
])
def test_a_timer_that_is_doubled_moves_the_bounds(strike, tier, setting, before, after, grows_s):
    probe = "pages" if strike.tier == "web" else "orders"
    old = of(strike, topology(**{tier: {setting: before}}), probe, False)
    new = of(strike, topology(**{tier: {setting: after}}), probe, False)
    assert (new.low_s - old.low_s, new.high_s - old.high_s) == pytest.approx(grows_s, abs=1e-6)


def test_a_standby_that_cannot_write_hangs_up_and_one_that_hardly_runs_answers_late():
    whole = topology()
    drills = {each.name: strike_of(each) for each in drills_of(whole, "full")}
    full = {leader: of(drills["disk_full db"], whole, confirms=True, leader=leader) for leader in (True, False)}
    assert [step.step for step in full[True].chain][:3] == ["election", "elected", "turn"]
    assert [step.step for step in full[False].chain][0] == "turn"
    starved = drills["cpu_starve db"]
    assert of(starved, whole, confirms=True).chain[0].high_s == pytest.approx(0.8)
    seldom = replace(starved, settings=starved.settings.model_copy(update={"period": 1.0}))
    assert of(seldom, whole, confirms=True).chain[0].step == "sync_given_up"


def test_a_standby_that_reboots_is_missed_until_it_refuses_what_it_forgot():
    promise = of(replace(LOST, fault="reboot", target="replica"), topology(), confirms=True)
    assert [step.step for step in promise.chain][:3] == ["start", "client", "turn"]
    assert "standby_timeout decides" in promise.reason
    slower = of(replace(LOST, fault="reboot", target="replica"), topology(db={"loop_wait": 2.0}), confirms=True)
    assert slower.high_s - promise.high_s == pytest.approx(1.0)


def test_a_silent_standby_is_missed_for_as_long_as_its_timeout_says():
    lost = replace(LOST, target="replica")
    old, new = (of(lost, topology(db={"standby_timeout": seconds}), confirms=True) for seconds in (3.0, 6.0))
    assert (new.low_s - old.low_s, new.high_s - old.high_s) == pytest.approx((3.0, 3.0))


def test_a_standby_is_not_the_primary():
    for confirms, low_s, high_s in ((True, 2.9, 5.0), (False, 0.0, 0.5)):
        promise = of(replace(LOST, target="replica"), topology(), confirms=confirms)
        assert low_s <= promise.low_s <= promise.high_s < high_s


def test_in_a_zone_it_depends_on_who_is_there():
    zone = replace(LOST, tier="entry", target="zone c")
    lows = [of(zone, topology(), **case).low_s for case in (
        {"primary": True, "leader": True}, {"primary": True, "leader": False}, {"primary": False, "confirms": True},
        {"primary": False, "confirms": False},
    )]  # fmt: skip
    assert lows == sorted(lows, reverse=True)
    assert lows[0] > 21
    assert lows[-1] == 0
    assert "the primary is not struck, a standby that confirms commits is struck" in [
        each.given for each in promises(zone, topology())]


def test_a_fact_that_makes_no_difference_makes_no_case():
    zone = replace(LOST, tier="entry", target="zone c")
    assert [each.given for each in promises(zone, topology()) if each.probe == "pages"] == [""]
    assert not of(LOST, topology(), "pages").when


def test_of_two_halves_only_the_smaller_one_is_struck():
    whole = topology()
    split = next(strike_of(each) for each in drills_of(whole, "full") if each.fault == "partition")
    assert of(split, whole, primary=True, leader=False).high_s > 20
    assert of(split, whole, primary=False, confirms=False).high_s < 0.5


def test_who_is_behind_a_balancer_and_loses_packets_is_asked_no_longer_than_one_that_is_silent():
    whole = topology()
    losing = next(strike_of(each) for each in drills_of(whole, "full") if each.fault == "loss")
    assert of(losing, whole, "pages").high_s == of(replace(losing, fault="freeze", settings=None), whole, "pages").high_s


def test_what_happens_to_a_standby_is_not_waited_for_by_who_can_do_without_the_database():
    lost = replace(LOST, target="replica")
    assert of(lost, topology(), "pages", confirms=False).high_s < of(lost, topology(), "pages", confirms=True).high_s


def test_work_that_was_measured_on_busy_processors_is_not_made_slower_by_them_again():
    for struck, noisy in ((CRASHED, False), (replace(CRASHED, tier="etcd", target="leader"), True)):
        assert ("busy processors answer late" in [step.name for step in of(struck, topology()).chain]) is noisy


def test_who_hands_over_gives_the_lease_back_and_no_turn_of_a_loop_is_waited_for():
    promise = of(HANDED_OVER, topology())
    assert [step.step for step in promise.chain][:4] == ["handover", "shutdown", "promote", "in"]
    assert promise.low_s == pytest.approx(1.1)
    assert promise.high_s == of(HANDED_OVER, topology(db={"loop_wait": 10.0})).high_s


def test_an_asynchronous_standby_is_not_missed():
    whole = topology(db={"synchronous": 0})
    assert of(replace(CRASHED, target="replica"), whole).high_s < 0.5


def test_a_primary_that_may_restart_in_place_does():
    assert "recover" in [step.step for step in of(CRASHED, topology(db={"primary_start_timeout": 300.0})).chain]


def test_whoever_is_drawn_may_be_the_primary_and_may_not():
    anyone = replace(LOST, target="one")
    for leader in (True, False):
        itself, certainly = of(anyone, topology(), primary=True, leader=leader), of(LOST, topology(), leader_struck=leader)
        assert (itself.low_s, itself.high_s) == (certainly.low_s, certainly.high_s)
    assert of(anyone, topology(), primary=False, confirms=False).low_s == 0


def test_without_failsafe_a_primary_cut_from_its_store_steps_down():
    cut = {each.fault: strike_of(each) for each in drills_of(topology(), "full")}["cut_from"]
    assert of(cut, topology()).high_s < 0.5
    without = of(cut, topology(db={"failsafe": False}))
    assert 10 < without.low_s < without.high_s < 22


def test_the_store_without_a_majority_is_harmless_only_with_failsafe():
    lost = Strike(fault="freeze", tier="etcd", target="majority")
    only_etcd = replace(lost, fault="hang")
    assert of(only_etcd, topology()).high_s < 0.5
    assert of(only_etcd, topology(db={"failsafe": False})).high_s == inf


def test_all_of_a_tier_gone_lasts_as_long_as_the_fault():
    forever = Strike(fault="freeze", tier="web", target="all")
    assert of(forever, topology(), "pages").low_s == inf
    nine = of(replace(forever, hold_s=9, longest_s=9), topology(), "pages")
    assert 9 <= nine.low_s <= nine.high_s < 14


def test_pages_that_do_without_their_database_wait_for_it_once():
    assert of(LOST, topology(), "pages").high_s == pytest.approx(0.25 + 0.25)
    whole = topology()
    web = whole.tiers["web"]
    needs = {"db": web.uses["db"].model_copy(update={"critical": True})}
    critical = replace(whole, tiers={**whole.tiers, "web": web.model_copy(update={"uses": needs})})
    assert of(LOST, critical, "pages", False).high_s > 20


def test_a_config_of_the_users_own_is_not_promised_for():
    whole = sensible("examples/unsafe/writes_by_health")
    drilled = [strike_of(each) for each in drills_of(whole, "rehearsal")]
    found = [each for strike in drilled for each in promises(strike, whole)]
    assert any(each.low_s is None and "config of your own" in each.reason for each in found)


@pytest.mark.parametrize("example", [CLASSIC, SHOP])
@pytest.mark.parametrize("suite", SUITES)
def test_every_drill_of_every_suite_has_bounds_that_add_up(example, suite):
    whole = topology(example)
    for drill in drills_of(whole, suite):
        for promise in promises(strike_of(drill), whole):
            assert promise.low_s is not None, (drill.name, promise.reason)
            assert 0 <= promise.low_s <= promise.high_s, drill.name
            assert promise.high_s == pytest.approx(sum(step.high_s for step in promise.chain))
            assert all(step.source for step in promise.chain), drill.name
            json.dumps(promise.as_detail(), allow_nan=False)


def test_every_fault_has_a_nature_or_says_that_it_is_not_promised_for():
    without = {name for name in FAULTS if name not in (*NATURES, *changed.FAULTS)}
    for fault in without:
        found = promises(Strike(fault=fault, tier="web", target="one"), topology())
        assert all(each.low_s is None and each.reason for each in found)


def test_what_pages_can_do_without_takes_them_down_neither_for_a_moment_nor_in_a_year():
    whole = topology()
    web = whole.tiers["web"]
    needs = {"db": web.uses["db"].model_copy(update={"critical": True})}
    critical = replace(whole, tiers={**whole.tiers, "web": web.model_copy(update={"uses": needs})})
    reached = {each: Prediction(each_topology).service.paths for each, each_topology in (("may", whole), ("must", critical))}
    tiers = {each: {path.name: path.tiers for path in paths}["pages"] for each, paths in reached.items()}
    assert "db" in tiers["must"]
    assert "db" not in tiers["may"]
