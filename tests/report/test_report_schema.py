"""The published form of `--json`: every key that is written is described, and every record fits."""

import copy
import dataclasses
import json
from pathlib import Path

import pytest
from builder import answers, one_drill, realistic, repeated
from jsonschema import Draft202012Validator

from holdfast.record.store import Record
from holdfast.report.as_json import SCHEMA, as_json
from holdfast.report.baseline import baseline_of
from holdfast.report.findings import judge
from holdfast.report.schema import schema

ROOT = Path(__file__).parents[2]
SKIP = {"name": "lb", "fault": "power_cut", "target": "active", "reason": "no virtual addresses"}


def strict():
    """The schema, refusing keys that it does not describe."""
    made = copy.deepcopy(schema())
    for part in (made, *made["$defs"].values()):
        part.setdefault("additionalProperties", part.get("additionalProperties", False))
    return Draft202012Validator(made)


def endless():
    asked = answers("orders", drill="kill", begin_s=5.0, end_s=20.0, troubles=[(10.0, 99.0, "refused")])
    return one_drill(list(asked), objectives={"write_outage_s": 1e9})


def crashed():
    record = repeated(2)
    return Record(meta=record.meta, events=record.events[: len(record.events) // 2], asked=record.asked[:3000])


RECORDS = {
    "met": realistic(), "violated": realistic(lost=3, skipped=[SKIP]), "repeated": repeated(3), "endless": endless(),
    "crashed": crashed(), "empty": Record(meta={}, events=(), asked=()),
}


@pytest.mark.parametrize("name", RECORDS)
def test_what_is_written_fits_the_published_schema(name):
    for baseline in (None, baseline_of(realistic()), baseline_of(endless())):
        told = as_json(judge(RECORDS[name], baseline=baseline))
        strict().validate(json.loads(json.dumps(told, allow_nan=False)))


def test_the_published_schema_is_the_one_of_the_models():
    committed = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    assert committed == schema(), "run: holdfast report --schema > docs/report.schema.json"
    Draft202012Validator.check_schema(committed)
    assert committed["properties"]["schema"]["const"] == SCHEMA


def test_the_schema_objects_to_what_is_missing_or_of_another_kind():
    told = json.loads(json.dumps(as_json(judge(realistic()))))
    validator = Draft202012Validator(schema())
    assert list(validator.iter_errors({key: value for key, value in told.items() if key != "drills"}))
    assert list(validator.iter_errors({**told, "verdict": "green"}))
    assert not list(validator.iter_errors({**told, "added later": 1}))


def test_repeats_are_told_with_every_sample_and_the_count_of_verdicts():
    record = repeated(3, lost=1)
    cut = as_json(judge(record))["repeats"][3]
    assert cut["name"] == "power cut primary"
    assert cut["verdicts"] == {"violated": 3}
    assert len(cut["write_outage_s"]["samples"]) == 3
    assert cut["write_outage_s"]["min"] < cut["write_outage_s"]["median"] < cut["write_outage_s"]["max"]
    assert cut["lost_writes"]["max"] == 1


def test_an_outage_without_end_is_null_and_counted():
    assert as_json(judge(endless()))["repeats"][0]["write_outage_s"] == {
        "min": None, "median": None, "max": None, "samples": [None], "unbounded": 1,
    }
    void = dataclasses.replace(endless(), asked=())
    assert as_json(judge(void))["repeats"][0]["write_outage_s"] is None
