"""What other programs read: JSON and JUnit."""

import json
from xml.etree import ElementTree

from builder import realistic

from holdfast.record.store import Record
from holdfast.report.as_json import as_json
from holdfast.report.findings import judge
from holdfast.report.junit import junit

SKIP = {"name": "lb", "fault": "power_cut", "target": "active", "reason": "no virtual addresses"}


def test_the_json_names_its_schema_and_holds_every_number():
    told = json.loads(json.dumps(as_json(judge(realistic(lost=3, skipped=[SKIP]))), allow_nan=False))
    assert told["schema"] == "holdfast.report/1"
    assert (told["verdict"], told["exit_code"]) == ("violated", 1)
    assert [drill["lost_writes"] for drill in told["drills"]] == [0, 0, 0, 3, 0, None]
    cut = told["drills"][3]
    assert 21 < cut["write_outage_s"] < 23
    assert cut["redundancy"] == "back"
    assert 39 < cut["redundancy_back_after_s"] < 40
    assert {path["probe"] for path in cut["paths"]} == {"pages", "orders"}
    assert told["drills"][5]["verdict"] == "skipped"


def test_junit_has_a_case_for_every_drill_with_failures_and_skips():
    suite = ElementTree.fromstring(junit(judge(realistic(lost=3, skipped=[SKIP]))))
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6", "failures": "1", "errors": "0", "skipped": "1",
    }
    assert [len(case) > 0 and case[0].tag for case in suite.iter("testcase")] == [
        "system-out", "system-out", "system-out", "failure", "system-out", "skipped",
    ]
    assert {node.get("name"): node.get("value") for node in suite.iter("property")}["verdict"] == "violated"


def test_junit_is_never_green_when_nothing_was_executed():
    suite = ElementTree.fromstring(junit(judge(Record(meta={"skipped": [SKIP]}, events=(), asked=()))))
    assert suite.get("errors") == "1"


def test_junit_survives_control_characters():
    record = realistic(skipped=[{**SKIP, "reason": "a\x00b\x1b[31m<&"}])
    suite = ElementTree.fromstring(junit(judge(record)))
    assert any("<&" in (node.get("message") or "") for node in suite.iter("skipped"))
