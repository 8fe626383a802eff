"""Held to an earlier run: red when an outage grew by more than both spreads explain, and never by chance of order."""

import dataclasses
import json
import random
from math import inf
from pathlib import Path

import pytest
from builder import answers, one_drill, realistic, repeated
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from holdfast import errors
from holdfast.errors import Refused
from holdfast.record.repeats import Spread
from holdfast.report.baseline import SCHEMA, baseline_of, baseline_schema, read_baseline, understood, written
from holdfast.report.compare import FLOOR_S, SHARE, clearly, compare, is_worse, tolerance
from holdfast.report.findings import judge

ROOT = Path(__file__).parents[2]
SECONDS = st.one_of(st.floats(0, 200), st.just(inf))
SAMPLES = st.lists(SECONDS, min_size=1, max_size=9)
FINITE = st.lists(st.floats(0, 200), min_size=1, max_size=9)
TIMER = st.floats(0, 30)


def spread(samples) -> Spread:
    return Spread(samples=tuple(sorted(samples)))


@given(SAMPLES, TIMER, st.integers())
def test_the_same_samples_in_any_order_are_never_worse_and_never_better(samples, timer, seed):
    mixed = random.Random(seed).sample(samples, len(samples))
    assert not is_worse(spread(samples), spread(mixed), floor=FLOOR_S, timer=timer)


@given(FINITE, FINITE, TIMER)
def test_when_every_sample_grew_by_more_than_the_old_spread_it_is_always_worse(old, above, timer):
    was = spread(old)
    least = was.most + max(FLOOR_S, SHARE * was.most, was.width, timer - was.width) + 0.001
    assert is_worse(was, spread(least + more for more in above), floor=FLOOR_S, timer=timer)


@given(SAMPLES, SAMPLES, TIMER, st.data())
def test_a_worse_sample_never_makes_the_verdict_better(old, new, timer, data):
    index = data.draw(st.integers(0, len(new) - 1))
    worse = [*new]
    worse[index] += data.draw(SECONDS)
    if is_worse(spread(old), spread(new), floor=FLOOR_S, timer=timer):
        assert is_worse(spread(old), spread(worse), floor=FLOOR_S, timer=timer)


@given(SAMPLES, SAMPLES, TIMER)
def test_it_cannot_be_worse_and_better_at_once(old, new, timer):
    both = [is_worse(a, b, floor=FLOOR_S, timer=timer) for a, b in ((spread(old), spread(new)), (spread(new), spread(old)))]
    assert sum(both) < 2


@given(st.floats(0, 100), st.floats(0.5, 20), st.data())
def test_chance_within_one_period_of_the_timer_is_never_worse_with_one_sample_each(least, timer, data):
    old, new = (least + data.draw(st.floats(0, 1)) * timer for _ in range(2))
    assert not is_worse(spread([old]), spread([new]), floor=FLOOR_S, timer=timer)


@pytest.mark.parametrize(("old", "new", "expected"), [
    ([21.0], [22.9], False),  # 10 % of 21 s
    ([21.0], [38.0], True),
    ([0.1], [0.55], False),  # half a second is what a busy machine does
    ([0.1], [0.7], True),
    ([12.0, 22.0], [30.0], False),  # they were 10 s apart before
    ([12.0, 22.0], [33.0], True),
    ([1.0, 1.0, 1.0], [1.0, 1.2, 30.0], False),  # one of three is bad luck, two are not
    ([1.0, 1.0, 1.0], [1.0, 30.0, 30.0], True),
    ([5.0], [inf], True),
    ([inf], [inf], False),
    ([5.0, inf], [500.0], False),
])
def test_the_rule_by_example(old, new, expected):
    assert is_worse(spread(old), spread(new), floor=FLOOR_S) is expected


def test_the_width_of_a_timer_counts_as_far_as_it_was_not_seen():
    one, many = spread([12.0]), spread([12.0, 17.0, 21.0])
    assert tolerance(one, spread([15.0]), floor=FLOOR_S, timer=10.0) == 10.0
    assert tolerance(many, spread([15.0]), floor=FLOOR_S, timer=10.0) == 9.0


def test_a_baseline_is_read_back_as_it_was_written():
    baseline = baseline_of(repeated(3))
    again = understood(written(baseline), "baseline.json")
    assert again == baseline
    assert set(again.drills) == {"kill web", "freeze web", "kill postgres", "power cut primary", "switchover"}
    assert len(again.drills["power cut primary"].paths["orders"].outage_s) == 3
    assert again.programs["postgres"] == "16.4"


def test_the_published_schema_is_the_one_of_the_model_and_takes_what_is_written():
    committed = json.loads((ROOT / "docs" / "baseline.schema.json").read_text())
    assert committed == baseline_schema(), "run: holdfast report --schema baseline > docs/baseline.schema.json"
    for record in (realistic(), repeated(3)):
        Draft202012Validator(committed).validate(json.loads(written(baseline_of(record))))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "holdfast.baseline/2", "service": "shop", "drills": {}}',
                                  '{"schema": "holdfast.baseline/1", "service": "shop", "drills": {"a": {"paths": {"p": {}}}}}'])
def test_what_is_no_baseline_is_refused_with_the_file_and_a_remedy(text, tmp_path):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(Refused) as refused:
        read_baseline(path)
    assert all(problem.where == str(path) and "--write-baseline" in problem.remedy for problem in refused.value.problems)


def test_keys_of_a_newer_holdfast_are_left_alone():
    told = json.loads(written(baseline_of(realistic()))) | {"new": 1}
    assert understood(json.dumps(told), "").service == "shop"
    assert told["schema"] == SCHEMA


def outage(length_s, **more):
    asked = list(answers("orders", drill="kill", begin_s=5.0, end_s=60.0, troubles=[(10.0, 10.0 + length_s, "refused")]))
    return one_drill(asked, objectives={"write_outage_s": 50.0, "lost_writes": 0},
                     probes={"orders": {"kind": "ledger", "every_s": 0.02, "patience_s": 2.0, "writes": True}}, **more)


def test_a_run_is_met_beside_its_own_baseline():
    for record in (realistic(), repeated(3)):
        report = judge(record, baseline=baseline_of(record))
        assert (report.verdict, report.exit_code) == ("met", errors.MET)
        assert not report.baseline.differs
        assert any(finding.objective == "baseline" for drill in report.drills for finding in drill.findings)


def test_a_grown_outage_fails_and_is_told_with_the_fault_and_the_difference():
    report = judge(outage(38.0), baseline=baseline_of(outage(21.0)))
    assert (report.verdict, report.exit_code) == ("violated", errors.VIOLATED)
    (finding,) = report.drills[0].violations
    assert finding.objective == "baseline"
    assert finding.sentence == "orders: write outage 38.0 s, was 21.0 s at worst: 17.0 s more; 2.10 s are tolerated"


def test_an_outage_that_no_longer_ends_is_worse_than_any_that_did():
    report = judge(outage(100.0), baseline=baseline_of(outage(21.0)))
    assert "without end" in report.drills[0].findings[-1].sentence
    assert report.exit_code == errors.VIOLATED


def test_a_better_result_is_told_and_green():
    report = judge(outage(5.0), baseline=baseline_of(outage(21.0)))
    assert report.exit_code == errors.MET
    assert [row.sentence for row in report.baseline.changed("better")] == [
        "orders: write outage 5.02 s, was 21.0 s at worst: better"
    ]


def test_many_more_failed_reads_are_worse_and_a_few_more_are_not():
    def reads(length_s):
        asked = list(answers("pages", drill="kill", begin_s=5.0, end_s=30.0, troubles=[(10.0, 10.0 + length_s, "half")]))
        probes = {"pages": {"kind": "http", "every_s": 0.05, "patience_s": 0.1, "writes": False}}
        return one_drill(asked, objectives={}, probes=probes)

    worse = {row.what: row.change for row in compare(baseline_of(reads(1.0)), baseline_of(reads(4.0))).rows}
    alike = {row.what: row.change for row in compare(baseline_of(reads(1.0)), baseline_of(reads(1.2))).rows}
    assert worse == {"outage": "worse", "errors": "worse"}
    assert alike == {"outage": "same", "errors": "same"}


def test_the_repeat_in_which_it_was_worst_carries_the_finding():
    record = repeated(3)
    baseline = baseline_of(record)
    orders = baseline.drills["power cut primary"].paths["orders"]
    faster = orders.model_copy(update={"outage_s": [1.0, 1.1]})
    drill = baseline.drills["power cut primary"].model_copy(update={"paths": {"orders": faster}})
    report = judge(record, baseline=baseline.model_copy(update={"drills": {"power cut primary": drill}}))
    (violated,) = [drill for drill in report.drills if drill.verdict == "violated"]
    worst = max((each for each in report.drills if each.measure.fault == "power_cut"),
                key=lambda each: next(path.down_s for path in each.measure.paths if path.probe == "orders"))
    assert violated.measure.name == worst.measure.name
    assert "(median of 3)" in violated.violations[0].sentence


def test_drills_that_only_one_of_the_two_has_are_told():
    record = realistic()
    fewer = baseline_of(record).model_copy(update={"drills": {"kill web": baseline_of(record).drills["kill web"]}})
    assert len(judge(record, baseline=fewer).baseline.missing) == 4
    report = judge(outage(1.0), baseline=baseline_of(realistic()))
    assert "power cut primary: measured before, not now" in report.baseline.missing


def test_a_baseline_in_which_nothing_can_be_compared_is_never_green():
    report = judge(outage(1.0), baseline=baseline_of(realistic()))
    assert (report.verdict, report.exit_code) == ("inconclusive", errors.INCONCLUSIVE)
    assert "compared with the baseline" in report.summary


def test_another_lab_or_clearly_another_program_is_warned_of():
    record = realistic()
    run = {**record.meta["run"], "lab": "loopback", "programs": [
        {**each, "version": {"postgres": "17.0", "envoy": "1.36.9"}.get(each["name"], each["version"])}
        for each in record.meta["run"]["programs"]
    ]}
    other = dataclasses.replace(record, meta={**record.meta, "run": run})
    told = judge(other, baseline=baseline_of(record)).baseline.warnings
    assert [text.split(":")[0] for text in told] == [
        "the lab was namespaces, now it is loopback", "postgres was 16.4, now it is 17.0",
    ]


@pytest.mark.parametrize(("version", "part"), [("16.4", ("16",)), ("3.5.1", ("3", "5")), ("2.6.12-1+deb12u1", ("2", "6")),
                                               ("unknown", ("unknown",))])
def test_which_part_of_a_version_is_another_program(version, part):
    assert clearly(version) == part


def test_a_drill_that_shows_nothing_gives_no_sample():
    record = realistic()
    events = tuple(
        dataclasses.replace(event, detail={"outcome": "void", "reason": ""})
        if event.kind == "drill.ended" and event.drill == "kill web" else event
        for event in record.events
    )
    assert "kill web" not in baseline_of(dataclasses.replace(record, events=events)).drills
