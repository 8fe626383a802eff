"""What is predicted of a topology: held to hand calculation, to chains, and to what every architect knows must be so."""

import pytest
from services import HEAD, classic, written

from holdfast.predict import chains
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.known import Measured, with_promises
from holdfast.predict.yearly import Prediction, outlook

EXACT = """\
reliability:
  beta: 0%
  coverage: 95%
  manual_failover: 1h
  unnoticed: 0%
  hosts: {mtbf: 2000h, mttr: 4h}
  zones: {mtbf: 100000y, mttr: 1s}
  region: {mtbf: 100000y, mttr: 1s}
  engines: {command: {mtbf: 100000y, mttr: 1s}, haproxy: {mtbf: 100000y, mttr: 1s}}
"""
ONE = """\
tiers:
  web: {engine: command, replicas: 1, run: python3 app.py}
probes:
  pages: {http: "http://web/"}
"""


def test_one_host_is_down_for_its_repairs_and_as_often_as_it_fails(tmp_path):
    prediction = Prediction(written(tmp_path, HEAD + EXACT.replace(", haproxy: {mtbf: 100000y, mttr: 1s}", "") + ONE))
    found = outlook(prediction, samples=200)
    assert prediction.unavailability() == pytest.approx(4 / 2004, rel=1e-4)
    assert found.outages == pytest.approx(YEAR_H / 2004, rel=1e-3)
    assert found.mean_outage_s == pytest.approx(4 * 3600, rel=1e-3)


def test_a_pair_that_leads_in_turn_agrees_with_its_markov_chain_to_a_fifth_of_a_percent(tmp_path):
    pair = """\
tiers:
  entry: {engine: haproxy, replicas: 2, vip: 10.0.1.100, routes: {http: web}, reliability: {failover: 30s}}
  web: {engine: command, replicas: 1, run: python3 app.py, reliability: {mtbf: 100000y, mttr: 1s}}
probes:
  pages: {http: "http://entry/"}
"""
    topology = written(tmp_path, HEAD + EXACT.replace("engines: {", "engines: {keepalived: {mtbf: 100000y, mttr: 1s}, ") + pair)
    prediction = Prediction(topology)
    steps = chains.failover_pair(1 / 2000, 1 / 4, 0.95, 30 / 3600, 1.0)
    share = chains.steady_state(steps)
    exact = sum(share[state] for state in chains.FAILOVER_DOWN)

    of_web = 4 / 2004
    assert prediction.unavailability() - of_web == pytest.approx(exact, rel=0.002)
    values = prediction.middle()
    moving, often = prediction.failing_over("service", values)["entry"]
    q = 4 / 2004
    assert q * q + moving == pytest.approx(exact, rel=0.002)
    assert often == pytest.approx((1 - q) ** 2 / 2000, rel=1e-3)


@pytest.mark.parametrize("engine", ["haproxy", "keepalived"])
def test_what_holds_the_virtual_ip_costs_a_failover_when_it_crashes_like_the_balancer_itself(engine):
    often = Prediction(classic(f"reliability.engines.{engine}={{mtbf: 2d, mttr: 5s}}"))
    rarely = Prediction(classic(f"reliability.engines.{engine}={{mtbf: 200y, mttr: 5s}}"))
    moved = [each.failing_over("service", each.middle())["entry"][1] * YEAR_H for each in (often, rarely)]
    own = 365.25 / 2 * (1 - often.known["reliability.beta"].middle)
    assert moved[0] - moved[1] == pytest.approx(own, rel=0.01)


def test_every_figure_says_where_it_is_from():
    known = Prediction(classic()).known
    assert all(each.source for each in known.values())
    assert {each.tag for each in known.values()} == {"default"}
    assert known["reliability.beta"].middle == pytest.approx(0.1)
    changed = Prediction(classic("reliability.hosts.mtbf=2y")).known
    assert changed["reliability.hosts.mtbf"].tag == "declared"
    assert changed["reliability.hosts.mtbf"].low == pytest.approx(2 * YEAR_H)


def test_what_drills_measured_is_taken_instead_and_tagged():
    measured = {"tiers.db.reliability.failover": Measured(21.7 / 3600, 22.6 / 3600, "run classic-1, power_cut db, 5 repeats")}
    known = Prediction(classic(), measured).known["tiers.db.reliability.failover"]
    assert (known.tag, known.source) == ("measured", "run classic-1, power_cut db, 5 repeats")
    assert known.low == pytest.approx(21.7 / 3600)


def test_what_was_measured_moves_with_the_timers_as_the_promise_does_and_says_so():
    name = "tiers.db.reliability.failover"
    slow, quick = classic("tiers.db.ttl=60s"), classic("tiers.db.ttl=30s")
    measured = with_promises({name: Measured(2 / 3600, 80 / 3600, "run classic-1, n = 3")}, slow)
    then, now = (Prediction(each).known[name] for each in (slow, quick))
    assert then.low > 2 / 3600
    assert then.high < 80 / 3600

    assert Prediction(slow, measured).known[name].source == "run classic-1, n = 3"
    found = Prediction(quick, measured).known[name]

    assert found.low == pytest.approx(2 / 3600 * now.low / then.low)  # quicker than promised: by the same share
    assert found.high == pytest.approx(80 / 3600 + now.high - then.high)  # slower: by as many seconds
    assert found.tag == "measured"
    assert found.source == "run classic-1, n = 3; moved by what the change does to the engines' delays"
    assert Prediction(quick, measured).unavailability() < Prediction(slow, measured).unavailability()


def test_an_agreement_is_called_what_it_is():
    known = Prediction(classic("reliability.shared.dns.sla=99.99%")).known["reliability.shared.dns.down"]
    assert known.middle == pytest.approx(1e-4)
    assert "threshold for credits" in known.source


def test_single_points_are_the_region_and_what_strikes_all_of_a_tier_at_once():
    tree = Prediction(classic()).tree()
    alone = {name for cut in tree.cut_sets(1) for name in cut}
    assert "region" in alone
    assert "all patroni of db at once" in alone
    assert not any(name.startswith(("host ", "zone ")) for name in alone)


def test_a_tier_in_one_zone_makes_the_zone_a_single_point():
    alone = {name for cut in Prediction(classic("zones=[a]")).tree().cut_sets(1) for name in cut}
    assert "zone a" in alone


def test_two_etcd_members_that_are_lost_stop_writes_only_when_the_database_loses_one_as_well():
    """With failsafe a primary that all members confirm needs no majority; on shared hosts a lost host is a lost member."""
    with_it = Prediction(classic("tiers.etcd.on=null", "tiers.etcd.replicas=3")).tree()
    without = Prediction(classic("tiers.etcd.on=null", "tiers.etcd.replicas=3", "tiers.db.failsafe=false")).tree()
    pair = frozenset({"host etcd1", "host etcd2"})
    assert pair in without.cut_sets(2)
    assert pair not in with_it.cut_sets(2)
    assert pair | {"host db1"} in with_it.cut_sets(3)


@pytest.mark.parametrize(
    "worse",
    ["reliability.hosts.mttr=12h", "reliability.beta=50%", "reliability.coverage=50%", "reliability.manual_failover=8h",
     "zones=[a]", "tiers.web.replicas=1", "tiers.db.ttl=60s", "reliability.shared.dns.sla=99.9%"],
)
def test_what_is_worse_is_predicted_to_be_worse(worse):
    assert Prediction(classic(worse)).unavailability() > Prediction(classic()).unavailability() * 1.002


def test_few_crews_make_repairs_longer_and_enough_do_not():
    one, many = (Prediction(classic(f"reliability.repair_crews={crews}")) for crews in (1, 50))
    longer = [each.waiting(each.middle())["reliability.hosts.mttr"] for each in (one, many)]
    assert longer[0] > longer[1] == many.middle()["reliability.hosts.mttr"]
    assert one.unavailability() > many.unavailability()
    assert many.unavailability() == pytest.approx(Prediction(classic()).unavailability())


def test_the_middle_lies_in_the_interval_and_the_same_seed_gives_the_same_interval():
    first, second = outlook(Prediction(classic()), samples=2000), outlook(Prediction(classic()), samples=2000)
    assert first == second
    assert first.low_min < first.middle_min < first.high_min
    assert len(first.drivers) == 3


def test_samples_without_numpy_are_like_those_with_it(monkeypatch):
    from holdfast.predict import sampling

    with_it = outlook(Prediction(classic()), samples=3000)
    monkeypatch.setattr(sampling, "has_numpy", lambda: False)
    without = outlook(Prediction(classic()), samples=3000)
    assert without.middle_min == pytest.approx(with_it.middle_min)
    assert without.low_min == pytest.approx(with_it.low_min, rel=0.1)
    assert without.high_min == pytest.approx(with_it.high_min, rel=0.2)


def test_a_demand_decides_how_many_must_be_up():
    assert Prediction(classic("tiers.web.capacity=100", "tiers.web.demand=250")).service.needs["web"] == 3
    assert Prediction(classic()).service.needs["web"] == 1
    assert Prediction(classic()).service.needs["etcd"] == 2
