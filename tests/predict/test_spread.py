"""The ranges of outages, their length and failing over: those of every sample, one by one."""

import pytest
from services import classic

from holdfast.predict import solve
from holdfast.predict.spread import _often, spread
from holdfast.predict.yearly import Prediction

numpy = pytest.importorskip("numpy")
SAMPLES = 30


def test_how_often_the_top_happens_is_the_sum_over_its_events_at_each_sample():
    prediction = Prediction(classic())
    drawn = prediction.drawn(SAMPLES, 1)
    found = _often(prediction, "service", drawn, SAMPLES)
    tree = prediction.tree()
    causes = [prediction.service.causes[event.name] for event in tree.events]
    for index in range(SAMPLES):
        row = {name: float(each[index]) if numpy.ndim(each) else float(each) for name, each in drawn.items()}
        shares = [cause.down(row) for cause in causes]
        slopes = solve.derivatives(tree.solved, shares)[1]
        often = sum(slope * cause.rate(row) * (1 - q) for slope, cause, q in zip(slopes, causes, shares, strict=True))
        assert found[index] == pytest.approx(often, rel=1e-4)


def test_the_draws_are_those_of_the_downtime():
    prediction = Prediction(classic())
    row = {name: each[7] if numpy.ndim(each) else each for name, each in prediction.drawn(SAMPLES, 1).items()}
    assert prediction.unavailability("pages", row) == pytest.approx(prediction.sampled("pages", SAMPLES, 1)[7])


def test_a_service_of_figures_that_are_known_exactly_has_no_range():
    every = ["reliability." + each for each in (
        "hosts={mtbf: 1y, mttr: 4h}", "zones={mtbf: 4y, mttr: 4h}", "region={mtbf: 10y, mttr: 4h}", "beta=10%", "coverage=99%",
        "manual_failover=1h", "failover_test=30d", "unnoticed=10%", "engines={haproxy: {mtbf: 1y, mttr: 1m}, "
        "patroni: {mtbf: 1y, mttr: 1m}, command: {mtbf: 1y, mttr: 1m}, keepalived: {mtbf: 1y, mttr: 1m}, "
        "etcd: {mtbf: 1y, mttr: 1m}}")]  # fmt: skip
    every += [f"tiers.{tier}.reliability.failover=10s" for tier in ("entry", "web", "db")]
    found = spread(Prediction(classic(*every)), samples=100)
    for low, high in (found.outages, found.mean_outage_s, found.failover_min):
        assert low == pytest.approx(high)


def test_where_hosts_wait_for_crews_no_range_is_claimed():
    assert spread(Prediction(classic("reliability.repair_crews=1"))) is None
