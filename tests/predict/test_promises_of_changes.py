"""What is promised for planned changes, for balancers that eject or queue, and for a balancer that dies under a virtual IP."""

from dataclasses import replace
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from test_failover_promises import of, topology

from holdfast.engines.catalogue import ENGINES
from holdfast.engines.intent import Balance
from holdfast.predict.changed import CONNECTS, UNREAD
from holdfast.predict.strike import Strike
from holdfast.topology.model import Ejection, Topology, Uses

QUIET_S = 0.5


def changed(**tiers: dict[str, Any]) -> tuple[Strike, Topology]:
    """The service becomes one whose tiers have these settings, or, where they are none of an engine, these keys."""
    before = topology()
    after = dict(before.tiers)
    for name, update in tiers.items():
        own = {key: value for key, value in update.items() if key in type(after[name]).model_fields}
        settings = {key: value for key, value in update.items() if key not in own}
        after[name] = after[name].model_copy(update={**own, "settings": after[name].settings.model_copy(update=settings)})
    strike = Strike(fault="config_change", tier="entry", target="all", settings=SimpleNamespace(to="next.yaml"))
    return strike, replace(before, later={"next.yaml": replace(before, tiers=after)})


@pytest.mark.parametrize("probe", ["pages", "orders"])
def test_a_balancer_that_gets_other_settings_costs_nothing(probe):
    assert of(*changed(entry={"check_interval": 0.5}), probe).high_s < QUIET_S


def test_programs_restart_one_after_the_other_and_the_only_one_is_missed():
    assert of(*changed(web={"run": "python3 other.py"}), "pages").high_s < QUIET_S
    strike, whole = changed(web={"run": "python3 other.py"})
    alone = replace(whole, tiers={**whole.tiers, "web": whole.tiers["web"].model_copy(update={"replicas": 1})})
    assert [step.step for step in of(strike, alone, "pages").chain].count("restart") == 2, "there and back"


def test_a_database_may_hand_over_there_and_back():
    promise = of(*changed(db={"max_connections": 300}))
    assert promise.low_s == 0
    assert [step.step for step in promise.chain].count("handover") == 2
    assert of(*changed(db={"max_connections": 300}), "pages").high_s < 1


def test_what_is_not_on_the_way_costs_nothing():
    assert of(*changed(web={"run": "python3 other.py"})).high_s < QUIET_S


def test_of_a_file_that_nobody_read_nothing_is_promised():
    strike, whole = changed()
    unread = of(strike, replace(whole, later={}))
    assert (unread.low_s, unread.reason) == (None, UNREAD)


def test_a_new_password_refuses_only_who_connects_before_it_was_told():
    strike = Strike(fault="password_change", tier="db", target="all")
    assert 0 < of(strike, topology()).high_s < 1.0
    assert of(strike, topology(), "pages").high_s < QUIET_S
    whole = topology()
    needed = whole.tiers["web"].model_copy(update={"uses": {"db": whole.tiers["web"].uses["db"].model_copy(update={
        "critical": True})}})  # fmt: skip
    critical = of(strike, replace(whole, tiers={**whole.tiers, "web": needed}), "pages")
    assert (critical.low_s, critical.reason) == (None, CONNECTS)


def ejecting(**ejection: Any) -> Topology:
    whole = topology()
    uses = {"web": Uses(ejection=Ejection.model_validate(ejection))}
    return replace(whole, tiers={**whole.tiers, "entry": whole.tiers["entry"].model_copy(update={"uses": uses})})


@pytest.mark.parametrize(("status", "target", "share", "high_s"), [
    (500, "one", 1.0, 5 * 3 * 0.05), (404, "one", 1.0, inf), (500, "all", 1.0, inf), (500, "one", 0.5, inf),
])
def test_who_keeps_failing_is_ejected_after_so_many_failures_in_a_row(status, target, share, high_s):
    strike = Strike(fault="alive_but_wrong", tier="web", target=target, settings=SimpleNamespace(status=status, share=share))
    promise = of(strike, ejecting(failures=5), "pages")
    assert promise.high_s == (inf if high_s == inf else pytest.approx(high_s + 0.05 + 0.2))
    assert of(strike, topology(), "pages").high_s == inf, "nobody ejects anybody there"


def test_more_failures_before_an_ejection_move_its_bound():
    strike = Strike(fault="alive_but_wrong", tier="web", target="one", settings=SimpleNamespace(status=500, share=1.0))
    five, ten = (of(strike, ejecting(failures=number), "pages").high_s for number in (5, 10))
    assert ten - five == pytest.approx(5 * 3 * 0.05)
    short = of(strike, ejecting(failures=5, **{"for": "3s"}), "pages").high_s
    assert short - five == pytest.approx(2 * 5 * 3 * 0.05), "held for 8 s, it is back and fails again twice"


def limited(**update: Any) -> Topology:
    balance = Balance.model_validate({"server_connections": 10, "queue_timeout": "700ms"})
    whole = topology(entry={"balance": balance})
    return replace(whole, tiers={**whole.tiers, "web": whole.tiers["web"].model_copy(update=update)})


def test_where_servers_take_so_much_and_no_more_what_is_left_must_carry_the_demand():
    frozen = Strike(fault="freeze", tier="web", target="one")
    plain, waits = of(frozen, topology(), "pages"), of(frozen, limited(), "pages")
    assert waits.high_s - plain.high_s == pytest.approx(0.7)
    assert "declare capacity and demand" in waits.reason
    assert of(frozen, limited(capacity=100.0, demand=200.0), "pages").high_s == plain.high_s
    assert of(frozen, limited(capacity=100.0, demand=250.0), "pages").high_s == inf


def test_a_dead_balancer_is_found_by_checks_that_begin_at_each_interval():
    whole = topology()
    released = next(each for each in ENGINES["keepalived"].delays("entry-vip", whole) if each.step == "vip_released")
    assert released.low_s == 1.0, "the first of two may begin at once"
    assert released.high_s == pytest.approx(2 * 1 + 1 + 0.1 * 107 / 256)
    hung = of(Strike(fault="hang", tier="entry", target="active"), whole, "pages")
    assert released.high_s < hung.high_s < released.high_s + QUIET_S
