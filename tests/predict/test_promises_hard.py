"""Promises where it gets hard: nobody left, one direction only, several callers in a row, instances that lie, one host asked."""

import json
from dataclasses import replace
from math import inf
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_failover_promises import CRASHED, LOST, of, topology

from holdfast.engines.catalogue import ENGINES
from holdfast.predict.path import path_of
from holdfast.predict.promise import Promise, promises
from holdfast.predict.strike import NATURES, Strike
from holdfast.topology.model import Topology, Uses

QUIET_S = 0.5


def strike(fault: str, tier: str, target: str = "one", **more: object) -> Strike:
    return Strike(fault=fault, tier=tier, target=target, settings=SimpleNamespace(**more) if more else None)


def sized(whole: Topology, **replicas: int) -> Topology:
    """With so many replicas, as far as counting goes."""
    return replace(whole, tiers={**whole.tiers, **{
        name: whole.tiers[name].model_copy(update={"replicas": count}) for name, count in replicas.items()
    }})  # fmt: skip


def names(promise: Promise) -> list[str]:
    return [step.step for step in promise.chain]


@pytest.mark.parametrize("fault", ["hang", "freeze", "crash_loop"])
def test_when_all_databases_are_lost_nobody_takes_over(fault):
    assert of(strike(fault, "db", "all"), topology()).high_s == inf


def test_a_database_without_a_standby_starts_again_in_place_or_lasts():
    alone = sized(topology(), db=1)
    assert "recover" in names(of(CRASHED, alone))
    assert "promote" not in names(of(CRASHED, alone))
    assert of(replace(LOST, fault="hang"), alone).high_s == inf


def test_with_the_synchronous_standbys_lost_as_well_nobody_may_take_over():
    both = strike("hang", "db", "majority")
    assert of(both, topology(db={"synchronous": 1}), primary=True).high_s == inf
    assert of(both, topology(db={"synchronous": 0}), primary=True).high_s < inf
    assert of(strike("hang", "db", "minority"), topology(db={"synchronous": 1}), primary=True).high_s < inf


def test_who_dies_again_and_again_cannot_give_the_lease_back():
    for fault in ("crash_loop", "oom", "disk_read_only"):
        promise = of(strike(fault, "db", "primary"), topology(), leader_struck=False)
        assert "lease" in names(promise), fault
        assert promise.low_s == 0, fault
    assert of(strike("oom", "web", "all"), topology(), "pages").high_s == inf


def test_the_store_without_its_disk_has_no_majority():
    whole = topology(db={"failsafe": False})
    apart = replace(whole, tiers={**whole.tiers, "etcd": whole.tiers["etcd"].model_copy(update={"on": None})})
    assert of(strike("disk_full", "etcd", "majority"), apart).high_s == inf


def test_a_lease_is_never_shorter_than_etcd_grants():
    slow = topology(etcd={"election_timeout": 20.0})
    lease = next(step for step in of(LOST, slow, leader_struck=False).chain if step.step == "lease")
    assert (lease.high_s, lease.setting) == (30.0, "election_timeout")


def test_a_clock_that_goes_back_further_than_the_lease_can_bear_may_cost_it():
    for late in (False, True):  # it goes back when it is mended, or when it is struck
        assert of(strike("clock_skew", "db", "primary", by=10.0, late=late), topology()).high_s < QUIET_S
        back = of(strike("clock_skew", "db", "primary", by=60.0, late=late), topology())
        assert back.low_s == 0
        assert [step.step for step in back.chain][:2] == ["promote", "in"]
        assert QUIET_S < back.high_s < 2


def test_a_host_of_which_one_direction_is_lost_is_silent_to_clients():
    assert "ask_elsewhere" in names(of(strike("one_way", "web"), topology(), "pages"))
    sent = of(strike("one_way", "entry", "active", lost="sent"), topology(), "pages")
    assert "vip_missed" in names(sent)
    deaf = of(strike("one_way", "entry", "active", lost="received"), topology(), "pages")
    assert (deaf.low_s, deaf.high_s) == (inf, inf)


def test_two_silent_instances_may_be_asked_one_after_the_other():
    alone, two = (of(strike("freeze", "web", target), topology(), "pages") for target in ("one", "majority"))
    assert "out_silent" not in names(alone)
    assert "out_silent" in names(two)


def test_a_client_less_patient_than_the_balancer_waits_until_the_silent_one_is_out():
    whole = topology()
    hasty = replace(whole, probes={**whole.probes, "pages": whole.probes["pages"].model_copy(update={"patience": 0.3})})
    assert "out_silent" in names(of(strike("freeze", "web"), hasty, "pages"))


@pytest.mark.parametrize(("status", "target", "bound_s"), [
    (503, "one", QUIET_S), (502, "one", QUIET_S), (504, "one", QUIET_S),
    (500, "one", inf), (404, "one", inf), (503, "majority", inf),
])
def test_wrong_answers_are_asked_again_of_another_one_where_that_helps(status, target, bound_s):
    promise = of(strike("alive_but_wrong", "web", target, status=status, share=1.0), topology(), "pages")
    assert promise.low_s == 0
    assert promise.high_s == inf if bound_s == inf else promise.high_s < bound_s


def test_when_all_are_wrong_it_lasts_and_a_share_of_them_perhaps():
    assert of(strike("alive_but_wrong", "web", "all", status=503, share=1.0), topology(), "pages").low_s == inf
    assert of(strike("alive_but_wrong", "web", "all", status=503, share=0.5), topology(), "pages").low_s == 0


@pytest.mark.parametrize(("target", "delay_s", "least_s", "most_s"), [
    ("one", 0.2, 0.2, 0.7), ("one", 5.0, 0.8, 1.4), ("all", 0.2, 0.2, 0.7), ("all", 5.0, inf, inf),
])
def test_late_answers_cost_what_the_balancer_waits_before_it_asks_elsewhere(target, delay_s, least_s, most_s):
    promise = of(strike("slow_answers", "web", target, delay=delay_s, share=1.0), topology(), "pages")
    assert promise.low_s == 0
    assert least_s <= promise.high_s <= most_s


def test_a_dependency_that_can_be_missed_costs_its_wait_and_one_that_cannot_lasts():
    gone = strike("dependency_down", "web", "all", dependency="db")
    assert of(gone, topology(), "pages").high_s == pytest.approx(0.25 + 0.25)
    assert of(gone, needing(topology(), web={"db": True}), "pages").high_s == inf


def needing(whole: Topology, **uses: dict[str, bool]) -> Topology:
    """With these `uses`, and whether they are critical."""
    tiers = dict(whole.tiers)
    for tier, used in uses.items():
        made = {name: Uses(timeout="700ms", critical=critical) for name, critical in used.items()}
        tiers[tier] = whole.tiers[tier].model_copy(update={"uses": made})
    return replace(whole, tiers=tiers)


def chained(first: bool, second: bool) -> Topology:
    """web -> api -> db, where `api` is a copy of web's tier."""
    whole = topology()
    api = whole.tiers["web"].model_copy(update={"uses": {}})
    return needing(replace(whole, tiers={**whole.tiers, "api": api}), web={"api": first}, api={"db": second, "web": True})


@pytest.mark.parametrize(("first", "second", "needs", "misses"), [
    (True, True, ("api", "db"), {}), (True, False, ("api",), {"db": 1.4}), (False, True, (), {"api": 1.4, "db": 1.4}),
    (False, False, (), {"api": 1.4, "db": 1.4}),
])
def test_needs_are_followed_through_every_caller_and_circles_end(first, second, needs, misses):
    whole = chained(first, second)
    path = path_of("pages", whole.probes["pages"], whole)
    assert (path.needs, dict(path.misses)) == (needs, misses)


def test_a_database_behind_two_callers_decides_as_well():
    assert of(LOST, chained(True, True), "pages", False).high_s > 20
    assert of(LOST, chained(False, True), "pages").high_s < 2


def test_how_a_program_chooses_among_others_is_its_own_matter():
    promise = of(strike("freeze", "api"), chained(True, True), "pages")
    assert promise.low_s is None
    assert "own matter" in promise.reason


def test_a_probe_of_one_host_is_not_taken_over_for():
    whole = topology()
    host = whole.instances_of("web")[0].host
    one = replace(whole, probes={"pages": whole.probes["pages"].model_copy(update={"http": f"http://{host}:8080/"})})
    assert of(strike("freeze", "web"), one, "pages").high_s == inf
    assert of(strike("freeze", "web", "all"), one, "pages").low_s == inf
    assert of(strike("reload", "web"), one, "pages").high_s < QUIET_S


def test_there_is_no_minority_of_two():
    assert of(strike("freeze", "entry", "minority"), topology(), "pages").high_s < QUIET_S


TARGETS = ("one", "minority", "majority", "all", "primary", "replica", "active", "zone a", "zone nowhere")
STRIKES = st.builds(
    lambda fault, tier, target, delay, late, hold: Strike(
        fault=fault, tier=tier, target=target, hold_s=hold, longest_s=hold if late else 60.0,
        settings=SimpleNamespace(delay=delay, jitter=0.0, by=delay * 10, late=late, status=503, share=1.0, lost="sent"),
    ),
    st.sampled_from(sorted(NATURES)), st.sampled_from(["entry", "web", "db", "etcd"]), st.sampled_from(TARGETS),
    st.floats(0.01, 5), st.booleans(), st.floats(1, 50),
)  # fmt: skip
WITH_TIMERS = [
    (name, key) for name, tier in topology().tiers.items() if ENGINES[tier.engine].delays(name, topology())
    for key, value in tier.settings if isinstance(value, float)
]  # fmt: skip
SHORTENS = {("cut_from", "retry_timeout"), ("dependency_down", "retry_timeout"), ("clock_skew", "ttl"),
            ("slow_answers", "retry_after")}
"""A primary that tries its store for longer steps down later, and the rest of its lease is shorter; a longer lease bears a
clock that goes back further; and a balancer that waits longer still gets what is late."""


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(STRIKES, st.integers(1, 5), st.integers(1, 5), st.integers(0, 2), st.booleans())
def test_bounds_are_in_order_and_add_up_whatever_is_struck(struck, web, db, synchronous, failsafe):
    whole = topology(db={"synchronous": synchronous, "failsafe": failsafe})
    if not struck.target.startswith("zone"):
        whole = sized(whole, web=web, db=db)
    for promise in promises(struck, whole):
        json.dumps(promise.as_detail(), allow_nan=False)
        if promise.low_s is None:
            assert promise.reason
        else:
            assert 0 <= promise.low_s <= promise.high_s
            assert all(0 <= step.low_s <= step.high_s for step in promise.chain)


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(STRIKES, st.sampled_from(WITH_TIMERS), st.booleans())
def test_doubling_a_timer_never_lowers_a_bound(struck, timer, failsafe):
    tier, key = timer
    if (struck.fault, key) in SHORTENS:
        return
    before = topology(db={"failsafe": failsafe})
    after = topology(**{"db": {"failsafe": failsafe}, tier: {key: 2 * getattr(before.tiers[tier].settings, key),
                                                            **({"failsafe": failsafe} if tier == "db" else {})}})
    for old, new in zip(promises(struck, before), promises(struck, after), strict=True):
        if old.high_s is None or new.high_s is None:
            continue
        assert new.high_s >= old.high_s - 1e-9, (struck.fault, struck.tier, struck.target, timer)
        if key not in ("loop_wait", "heartbeat"):  # what is renewed less often is older when its holder is lost
            assert new.low_s >= old.low_s - 1e-9, (struck.fault, struck.tier, struck.target, timer)


def own_config(whole: Topology, tier: str) -> Topology:
    return replace(whole, tiers={**whole.tiers, tier: whole.tiers[tier].model_copy(update={"config": "its.own"})})


@pytest.mark.parametrize(("tier", "struck", "probe"), [
    ("etcd", LOST, "orders"), ("entry", LOST, "orders"), ("entry", strike("freeze", "web"), "pages"),
    ("entry-vip", strike("freeze", "entry", "active"), "pages"), ("db", LOST, "orders"),
])
def test_where_a_config_of_the_users_own_takes_part_nothing_is_promised(tier, struck, probe):
    found = [each for each in promises(struck, own_config(topology(), tier)) if each.probe == probe]
    assert [(each.low_s, "config of your own" in each.reason) for each in found] == [(None, True)]


def test_a_client_that_knows_all_databases_loses_time_at_the_silent_one():
    whole = topology()
    direct = replace(whole, probes={"orders": whole.probes["orders"].model_copy(update={"through": None})})
    assert "the client tries its next address" in [step.name for step in of(LOST, direct, leader_struck=False).chain]
    assert "in" not in names(of(LOST, direct, leader_struck=False))


def test_a_check_of_a_host_without_power_fails_before_its_answer_is_due():
    out = next(each for each in ENGINES["haproxy"].delays("entry", topology()) if each.step == "out_silent")
    assert out.low_s == pytest.approx(0.25 + 2 * 0.25)


def test_a_server_that_hangs_alone_in_haproxys_own_zone_is_asked_again_until_it_is_taken_out():
    frozen = strike("freeze", "web")
    entry = topology().tiers["entry"].settings
    first = entry.balance.model_copy(update={"prefer_zone": True})
    alone = topology(entry={"balance": first})

    later_s = of(frozen, alone, "pages").high_s - of(frozen, topology(), "pages").high_s
    assert later_s >= entry.fall * (entry.check_interval + entry.check_timeout)
