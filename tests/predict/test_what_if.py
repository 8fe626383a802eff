"""What one change would gain, best first, and changes from the command line that are checked like what is written."""

import pytest
from services import HEAD, classic, written

from holdfast.cli.predict import _objections
from holdfast.errors import Refused
from holdfast.predict.known import Measured
from holdfast.predict.whatif import _timers, gains, worse_than_one
from holdfast.predict.yearly import Prediction

MINUTES = 365.25 * 24 * 60


def test_every_gain_is_the_difference_that_the_change_makes_when_it_is_set():
    topology = classic()
    minutes = 365.25 * 24 * 60
    for gain in gains(topology, _objections):
        if gain.setting:
            after = Prediction(classic(gain.setting)).unavailability() * minutes
            assert gain.after_min == pytest.approx(after, rel=1e-9), gain.change
        assert gain.before_min == pytest.approx(Prediction(topology).unavailability() * minutes)


def test_the_best_change_stands_first():
    found = [gain.gain_min for gain in gains(classic(), _objections)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 1


def test_how_often_the_holder_of_a_virtual_ip_speaks_can_be_set():
    often = Prediction(classic("tiers.entry.vip_settings.advert=50ms")).known["tiers.entry.reliability.failover"]
    assert often.high < Prediction(classic()).known["tiers.entry.reliability.failover"].high
    with pytest.raises(Refused) as refused:
        classic("tiers.entry-vip.advert=50ms")
    assert refused.value.problems[0].remedy == "write tiers.entry.vip_settings.advert"


def test_a_change_that_the_engine_would_refuse_is_not_offered():
    assert not any("ttl of db" in gain.change for gain in gains(classic(), _objections))
    assert any("ttl of db" in gain.change for gain in gains(classic("tiers.db.ttl=60s"), _objections))


def test_a_timer_gains_as_well_where_drills_measured_the_failover():
    topology = classic("tiers.db.ttl=60s")
    measured = {"tiers.db.reliability.failover": Measured(50 / 3600, 90 / 3600, "run classic-1, n = 3")}
    both = [
        next(each.gain_min for each in gains(topology, _objections, measured=found) if "ttl of db" in each.change)
        for found in ({}, measured)
    ]
    assert both[1] == pytest.approx(both[0], rel=0.1)
    assert both[0] > 0.5


def test_a_second_provider_is_worth_nearly_all_that_the_first_one_costs():
    topology = classic("reliability.shared.dns.sla=99.9%")
    (gain,) = [each for each in gains(topology, _objections) if each.change == "a second provider beside dns"]
    assert gain.gain_min == pytest.approx(525.96, rel=0.01)


@pytest.mark.parametrize(("change", "says"), [
    ("reliability.shared.payments={mtbf: 1y, mttr: 2h}", "a second provider beside payments"),
    ("reliability.region={mtbf: 1y, mttr: 2h}", "a second region that takes over without loss"),
])
def test_a_second_one_is_offered_of_what_is_known_by_its_failures_too(change, says):
    (gain,) = [each for each in gains(classic(change), _objections) if each.change == says]
    # Once a year for 2 h; two of it at once: 2 h / 8768 h of that.
    assert gain.gain_min == pytest.approx(120, rel=0.01)


def test_every_timer_of_a_chain_that_matters_in_a_year_is_tried_where_it_can_be_written():
    settings = [gain.setting for gain in gains(classic("tiers.db.ttl=60s", "tiers.db.loop_wait=4s"), _objections)]
    assert {"tiers.entry.retry_after=400ms", "tiers.entry.vip_settings.advert=50ms", "tiers.db.ttl=30s",
            "tiers.db.loop_wait=2s"} <= {*settings}
    assert not any("check_timeout" in setting for setting in settings)  # it costs nothing in a year


def test_timers_of_a_sidecar_and_below_balance_are_written_where_they_belong(tmp_path):
    text = """\
tiers:
  entry: {engine: haproxy, replicas: 2, routes: {http: front}, balance: {retry_after: 400ms}}
  front: {engine: command, replicas: 2, run: python3 app.py, uses: {stock: {}}, mesh: true}
  stock: {engine: command, replicas: 2, run: python3 app.py, mesh: {prefer_zone: false}}
probes:
  pages: {http: "http://entry/"}
"""
    topology = written(tmp_path, HEAD + text)
    tried = {setting for _, setting, _ in _timers(topology)}
    assert {"tiers.entry.balance.retry_after=200ms", "tiers.front.mesh={hedge_after: 125ms}",
            "tiers.stock.mesh.hedge_after=125ms", "tiers.front.uses.stock.timeout=1s"} <= tried
    for setting in tried:
        written(tmp_path, HEAD + text, setting)


def test_a_zone_more_than_the_alphabet_has_letters_is_thinkable():
    zones = f"zones=[{', '.join(map(chr, range(ord('a'), ord('z') + 1)))}]"
    assert any("one more zone (26 -> 27)" in gain.change for gain in gains(classic(zones), _objections))


def test_failing_over_that_costs_more_than_it_saves_is_told(tmp_path):
    text = """\
reliability: {hosts: {mtbf: 10y, mttr: 10m}, coverage: 50%, manual_failover: 8h, engines: {haproxy: {mtbf: 10y, mttr: 10s}}}
tiers:
  entry: {engine: haproxy, replicas: 2, vip: 10.0.1.100, routes: {http: web}}
  web: {engine: command, replicas: 1, run: python3 app.py}
probes:
  pages: {http: "http://entry/"}
"""
    found = list(worse_than_one(Prediction(written(tmp_path, HEAD + text))))
    assert [tier for tier, _, _ in found] == ["entry"]
    one = Prediction(written(tmp_path, HEAD + text, "tiers.entry.replicas=1", "tiers.entry.vip=null")).unavailability()
    assert found[0][1:] == pytest.approx((Prediction(written(tmp_path, HEAD + text)).unavailability() * MINUTES, one * MINUTES))
    assert found[0][1] > found[0][2]
    assert list(worse_than_one(Prediction(classic()))) == []


RARELY = (
    "reliability.hosts={mtbf: 10y, mttr: 10m}", "reliability.zones={mtbf: 20y, mttr: 10m}", "reliability.manual_failover=4h",
    "reliability.coverage=99.99%", "reliability.failover_test=1d", "reliability.unnoticed=0.1%",
)  # fmt: skip


def test_common_causes_that_only_several_have_are_what_makes_several_worse_than_one_most_often():
    found = {tier: each for tier, *each in worse_than_one(Prediction(classic(*RARELY)))}
    now, then = (Prediction(classic(*RARELY, *more)).unavailability() for more in ((), ("tiers.web.replicas=1",)))
    assert found["web"] == pytest.approx([now * MINUTES, then * MINUTES])
    assert now > then
    assert "db" in found


def test_a_tier_that_needs_two_is_compared_with_two():
    said = (*RARELY, "tiers.web.capacity=100", "tiers.web.demand=150")
    costly = (*said, "reliability.engines.command={mtbf: 10y, mttr: 10s}", "reliability.coverage=50%")
    told = {tier: each for tier, *each in worse_than_one(Prediction(classic(*costly)))}
    two = Prediction(classic(*costly, "tiers.web.replicas=2")).unavailability() * MINUTES
    assert told["web"][1] == pytest.approx(two)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("tiers.dbb.replicas=2", "there is no tier 'dbb'; did you mean 'db'?"),
        ("tiers.entry-vip.advert=50ms", "entry-vip is added by another tier, which has its keys"),
        ("tiers.entry.vip_settings.advert=5ms", "keepalived sends no more than 100 adverts a second"),
        ("tiers.db.replcas=2", "unknown key 'replcas' in tiers.db"),
        ("tiers.db.replicas=many", "tiers.db.replicas must be a whole number"),
        ("tiers.db.replicas", "says not what to set to what"),
        ("tiers.db.replicas.more=1", "a value stands where the path goes on"),
        ("reliability.hosts.mtbf=3", "has no unit"),
        ("reliability.hosts.mtbf=[4y, 1y]", "write the smaller one first"),
        ("reliability.shared.dns.tiers=[webb]", "there is no tier 'webb'; did you mean 'web'?"),
        ("reliability.shared.dns={}", "nothing says how often dns fails"),
        ("reliability.hosts={mtbf: 1h, mttr: 2h}", "a repair takes longer than it works in between"),
        ("reliability.region={sla: 99%, mtbf: 1y}", "mtbf and sla say the same thing twice"),
        ("reliability.region.sla=100%", "nothing is available for 100% of the time"),
        ("reliability.engines.patronii.mtbf=1y", "there is no engine 'patronii'; did you mean 'patroni'?"),
        ("reliability.beta=110%", "lies outside of 0% to 100%"),
        ("reliability.repair_crews=0", "must be at least 1"),
        ("tiers.web.demand=10", "web has a demand and no capacity"),
        ("reliability.betta=10%", "unknown key 'betta' in reliability; did you mean 'beta'?"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(change, says):
    with pytest.raises(Refused) as refused:
        classic(change)
    assert says in str(refused.value)
    assert all(problem.remedy for problem in refused.value.problems)
