"""Few repair crews: trees and topologies agree with the chain of all hosts in line, at the middle and at each sample."""

from itertools import permutations, product
from random import Random

import pytest
from brute_force import drawn, happens
from services import HEAD, classic, written

from holdfast.cli.predict import _objections
from holdfast.predict import AtLeast, Event, FaultTree, Or, chains, crews, sampling
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.service import Cause
from holdfast.predict.whatif import gains
from holdfast.predict.yearly import Prediction, outlook
from holdfast.predict.years import play_years

FIGURES = """\
reliability:
  beta: 0%
  coverage: {coverage}
  manual_failover: 1h
  unnoticed: 0%
  repair_crews: {crews}
  hosts: {{mtbf: 2000h, mttr: {mttr}}}
  zones: {{mtbf: 100000y, mttr: 1s}}
  region: {{mtbf: 100000y, mttr: 1s}}
  engines: {{command: {{mtbf: 100000y, mttr: 1s}}}}
tiers:
  web: {{engine: command, replicas: {size}, run: python3 app.py, capacity: 1, demand: {demand}, reliability: {{failover: 30s}}}}
probes:
  pages: {{http: "http://web/"}}
"""


def in_line(rates: list[float], repair_rate: float, crews: int) -> dict[frozenset, float]:
    """Unlike hosts, first come, first served: the share of time for which each set is down, by going through all lines."""
    steps = {}
    for size in range(len(rates) + 1):
        for line in permutations(range(len(rates)), size):
            steps |= {(line, (*line, host)): rate for host, rate in enumerate(rates) if host not in line}
            steps |= {(line, tuple(each for each in line if each != host)): repair_rate for host in line[:crews]}
    found: dict[frozenset, float] = {}
    for line, share in chains.steady_state(steps).items():
        found[frozenset(line)] = found.get(frozenset(line), 0.0) + share
    return found


def test_trees_over_unlike_hosts_have_the_probability_and_frequency_of_the_chain_of_all_lines():
    for seed in range(40):
        rng = Random(seed)
        top = drawn(seed, coherent=True)
        tree, repair_rate = FaultTree(top), 0.7
        names = [event.name for event in tree.events]
        hosts = rng.sample(names, min(len(names), rng.randint(1, 4))) + ["elsewhere"] * rng.randint(0, 1)
        figures = {"mttr": 1 / repair_rate} | {f"{name} mtbf": rng.uniform(1.1, 100) for name in hosts}
        rates = {event.name: event.failure_rate for event in tree.events} | {name: 1 / figures[f"{name} mtbf"] for name in hosts}
        sets = in_line([rates[name] for name in hosts], repair_rate, count := rng.randint(1, len(hosts)))
        others = [event for event in tree.events if event.name not in hosts]

        down = often = 0.0
        for line, share in sets.items():
            for bits in product((False, True), repeat=len(others)):
                state = {name: number in line for number, name in enumerate(hosts)}
                weight = share
                for event, failed in zip(others, bits, strict=True):
                    state[event.name] = failed
                    weight *= event.probability if failed else 1 - event.probability
                if happens(top, state):
                    down += weight
                else:
                    often += weight * sum(
                        rates[name] for name in state if not state[name] and happens(top, state | {name: True})
                    )

        line = crews.Line([Cause(name=name, often=f"{name} mtbf", long="mttr") for name in hosts], "mtbf", "mttr", count)
        waiting = line.waiting(figures)
        own = {name: rates[name] * waiting["mttr"] for name in hosts}
        events = [own[event.name] / (1 + own[event.name]) if event.name in own else event.probability for event in tree.events]
        assert line.probability(tree, events, figures) == pytest.approx(down, rel=1e-9), seed
        assert line.frequency(tree, events, [rates[name] for name in names], figures) == pytest.approx(often, rel=1e-9), seed


@pytest.mark.parametrize("crews", [1, 2, 4])
@pytest.mark.parametrize("needed", [1, 2, 3, 4])
@pytest.mark.parametrize("mttr_h", [4, 200])
def test_a_tier_of_four_agrees_with_the_machine_repairman(tmp_path, crews, needed, mttr_h):
    text = HEAD + FIGURES.format(coverage="95%", crews=crews, mttr=f"{mttr_h}h", size=4, demand=needed)
    prediction = Prediction(written(tmp_path, text))
    share = chains.steady_state(chains.repair_shop(4, 1 / 2000, 1 / mttr_h, crews))
    exact = sum(share[str(down)] for down in range(4 - needed + 1, 5))
    assert prediction.broken("service", prediction.middle()) == pytest.approx(exact, rel=0.002)


@pytest.mark.parametrize("crews", [1, 2])
@pytest.mark.parametrize("coverage", [0.95, 0.999])
def test_a_pair_with_its_failing_over_agrees_with_its_chain_to_a_fifth_of_a_percent(tmp_path, crews, coverage):
    text = HEAD + FIGURES.format(coverage=f"{coverage:.1%}", crews=crews, mttr="4h", size=2, demand=1)
    prediction = Prediction(written(tmp_path, text))
    values = prediction.middle()
    share = chains.steady_state(chains.failover_pair(1 / 2000, 1 / 4, coverage, 30 / 3600, 1.0, crews))
    moving = prediction.failing_over("service", values)["web"][0] / prediction.service.pools["web"].weight
    exact = sum(share[state] for state in chains.FAILOVER_DOWN)
    assert prediction.broken("service", values) + moving == pytest.approx(exact, rel=0.002)


def test_longer_repairs_have_the_closed_form_of_the_chain_however_many_hosts_there_are():
    for units, load, count in ((11, 0.01, 1), (5, 0.3, 2), (7, 0.1, 7), (40, 0.2, 3)):
        assert crews.slower(units, load, count) == pytest.approx(chains.repair_time_with_crews(units, load, 1.0, count))
    assert crews.slower(500, 0.3, 1) == pytest.approx(500 - 1 / 0.3)


def test_five_hundred_hosts_that_one_crew_never_catches_up_with_are_neither_too_many_nor_no_number():
    events = [Event(f"host {number}", failure_rate=0.3, repair_rate=1.0) for number in range(60)]
    tree = FaultTree(Or(AtLeast(58, *events[:58]), events[58], events[59]))
    hosts = [Cause(name=f"host {number}", often="mtbf", long="mttr") for number in range(500)]
    line, figures = crews.Line(hosts, "mtbf", "mttr", 1), {"mtbf": 1 / 0.3, "mttr": 1.0}
    downs = [hosts[0].down(line.waiting(figures))] * 60
    # 3.33 of 500 are up on average, any as likely: that one of two is, and none of 58 others, is rare.
    assert 0.999 < line.probability(tree, downs, figures) < 1.0


def test_each_sample_waits_for_its_own_repairs():
    topology = classic("reliability.repair_crews=1", "reliability.hosts={mtbf: [5d,60d], mttr: [2h,40h]}")
    prediction = Prediction(topology)
    found = sorted(prediction.sampled(count=2000))
    low = {**prediction.middle(), "reliability.hosts.mtbf": 120.0, "reliability.hosts.mttr": 40.0}
    assert found[-1] > prediction.unavailability("service", low) > found[1900] > 0.3
    swings = {name: ends for name, *ends in prediction.swings()}
    ends = [prediction.unavailability("service", {**prediction.middle(), "reliability.hosts.mttr": h}) for h in (2.0, 40.0)]
    assert swings["reliability.hosts.mttr"] == pytest.approx([each * YEAR_H * 60 for each in ends])


def test_samples_one_by_one_wait_as_those_of_numpy_do(monkeypatch):
    prediction = Prediction(classic("reliability.repair_crews=1"))
    drawn = {name: known.low for name, known in prediction.known.items()}
    import numpy

    rows = prediction._sampled("service", {name: numpy.full(3, value) for name, value in drawn.items()}, 3)
    assert list(rows) == pytest.approx([prediction.unavailability("service", drawn)] * 3)
    monkeypatch.setattr(sampling, "has_numpy", lambda: False)
    assert len(prediction.sampled(count=20)) == 20


def test_a_gain_is_what_setting_the_repair_time_to_half_makes(tmp_path):
    said = "reliability.repair_crews=1", "reliability.hosts.mtbf=60d"
    before, after = (classic(*said, f"reliability.hosts.mttr={hours}h") for hours in (20, 10))
    (gain,) = [each for each in gains(before, _objections) if each.change == "hosts are repaired in half the time"]
    assert gain.after_min == pytest.approx(Prediction(after).unavailability() * YEAR_H * 60)


def test_outages_are_those_of_the_chain(tmp_path):
    text = HEAD + FIGURES.format(coverage="95%", crews=1, mttr="200h", size=3, demand=3)
    prediction = Prediction(written(tmp_path, text))
    steps = chains.repair_shop(3, 1 / 2000, 1 / 200, 1)
    share = chains.steady_state(steps)
    assert outlook(prediction, samples=20).outages == pytest.approx(chains.frequency(steps, share, "123") * YEAR_H, rel=0.002)


def test_years_by_chance_have_the_mean_that_few_crews_make():
    prediction = Prediction(classic("reliability.repair_crews=1", "reliability.hosts={mtbf: 30d, mttr: 20h}"))
    moving = prediction.failing_over("service", prediction.middle())
    partial = sum(share for tier, (share, _) in moving.items() if prediction.service.pools[tier].weight < 1)
    played = play_years(prediction, 3000, seed=3)
    assert played.unavailability == pytest.approx(prediction.unavailability() - partial, rel=0.03)
