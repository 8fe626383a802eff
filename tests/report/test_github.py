"""What GitHub Actions shows: nothing from outside can begin a command or leave its cell."""

import dataclasses
import re

from builder import realistic, repeated
from hypothesis import given
from hypothesis import strategies as st

from holdfast.record.store import Record
from holdfast.report.baseline import baseline_of
from holdfast.report.findings import judge
from holdfast.report.github import annotations, command, plain, summary

SKIP = {"name": "lb", "fault": "power_cut", "target": "active", "reason": "no virtual addresses"}


@given(st.text(), st.text())
def test_a_command_is_one_line_and_is_read_back_as_it_was_meant(title, message):
    told = command("error", title, message)
    assert len(told.splitlines()) == 1 or not re.search(r"[\r\n]", told)
    found = re.fullmatch(r"::error title=([^:,]*)::(.*)", told, re.DOTALL)
    assert found
    assert not re.search(r"%(?!25|0D|0A|3A|2C)", told)


@given(st.text())
def test_markdown_shows_text_as_it_is_on_one_line(text):
    shown = plain(text)
    assert not re.search(r"[\r\n<>]", shown)
    assert not re.search(r"(?<!\\)(?:\\\\)*[|`*_\[\]]", re.sub(r"\\[\\`*_{}\[\]()#+\-.!|~@:^$=]", "", shown))


def test_a_violation_is_an_error_and_a_skip_a_warning():
    told = annotations(judge(realistic(lost=3, skipped=[SKIP])))
    assert told == (
        "::error title=power cut primary%3A violated::3 of 1890 acknowledged writes were lost; 0 are allowed",
        "::warning title=lb%3A skipped::no virtual addresses",
    )


def test_a_green_run_has_no_annotation():
    assert annotations(judge(realistic())) == ()


def test_a_run_in_which_nothing_was_executed_is_an_error():
    (error, *_) = annotations(judge(Record(meta={"skipped": [SKIP]}, events=(), asked=())))
    assert error.startswith("::error ")


def test_a_regression_names_fault_and_difference():
    baseline = baseline_of(realistic())
    told = annotations(judge(realistic(slower=1.4), baseline=baseline))
    assert any(line.startswith("::error title=power cut primary%3A worse than the baseline::orders%3A") is False
               and "8.7" in line and "worse than the baseline" in line for line in told)


def test_a_better_run_is_a_notice_and_another_lab_a_warning():
    record = realistic(run={**realistic().meta["run"], "lab": "loopback"})
    kinds = [line.split(" ")[0] for line in annotations(judge(record, baseline=baseline_of(realistic(slower=1.8))))]
    assert "::warning" in kinds
    assert "::notice" in kinds
    assert "::error" not in kinds


def test_the_summary_has_a_row_for_each_drill_of_the_plan():
    for record in (realistic(lost=3, skipped=[SKIP]), repeated(3, lost=3)):
        told = summary(judge(record))
        rows = [line for line in told.splitlines() if line.startswith("| ")]
        assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1
        assert "shop: VIOLATED" in told
    assert "power cut primary × 3" in told
    assert "21\\.9 / 24\\.1 / 26\\.3 s" in told
    assert "3 VIOLATED" in told


def test_evil_names_stay_in_their_cells():
    evil = "a|b\n\n# <script>alert(1)</script> [x](javascript:y) `c` ::error::"
    record = realistic(skipped=[{**SKIP, "name": evil, "reason": evil}])
    named = dataclasses.replace(record, meta={**record.meta, "run": {**record.meta["run"], "service": evil, "lab": evil}})
    told = summary(judge(named))
    assert "<script" not in told
    assert "](" not in told
    assert not any(line.startswith("# ") for line in told.splitlines())
    assert not any(line.startswith("::") for line in told.splitlines())
    for line in annotations(judge(named)):
        assert "\n" not in line
