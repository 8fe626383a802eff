"""What a person reads in a terminal, during the run and after it."""

import io

import pytest
from builder import realistic, repeated

from holdfast.record.event import Event
from holdfast.record.store import Record
from holdfast.report.baseline import baseline_of
from holdfast.report.findings import judge
from holdfast.report.letters import fitting
from holdfast.report.progress import progress
from holdfast.report.terminal import table

SKIP = {"name": "lb", "fault": "power_cut", "target": "active", "reason": "this lab has no virtual addresses"}


@pytest.mark.parametrize("width", [60, 80, 100, 160, 240])
def test_the_table_never_overflows_the_terminal(width):
    shown = table(judge(realistic(lost=3, skipped=[SKIP])), width=width, colour=False)
    assert max(map(len, shown.splitlines())) <= width


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_says_all_that_a_person_decides_on(width):
    shown = table(judge(realistic(lost=3, skipped=[SKIP])), width=width, colour=False, page_path="runs/shop.html")
    for text in ("VIOLATED", "21.9 s", "39.2 s", "not seen", "3 of 1890 acknowledged writes were lost", "seed 4711",
                 "skipped", "this lab has no virtual addresses", "page cache", "runs/shop.html", "runs/shop.holdfast",
                 "not judged by drills",
                 "write ≤ 30 s" if width == 160 else "write outage ≤ 30 s"):
        assert text in shown, text


def test_colour_can_be_turned_off(monkeypatch):
    report = judge(realistic())
    assert "\x1b[" not in table(report, width=80, colour=False)
    assert "\x1b[32m" in table(report, width=80, colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in table(report, width=80)


def test_names_are_never_taken_for_markup():
    record = realistic()
    run = {**record.meta["run"], "service": "[red]shop[/red]", "lab_notes": ["[bold]one[/bold] kernel"]}
    named = Record(meta={**record.meta, "run": run}, events=record.events, asked=record.asked)
    shown = table(judge(named), width=120, colour=False)
    assert "[red]shop[/red]" in shown
    assert "[bold]one[/bold] kernel" in shown


def test_a_run_without_drills_still_has_a_result():
    assert "No drill was executed" in table(judge(Record(meta={}, events=(), asked=())), width=80, colour=False)


def test_progress_without_a_terminal_is_plain_lines_in_order():
    stream = io.StringIO()
    with progress(stream) as shown:
        for event in realistic().events:
            shown.saw(event)
    lines = stream.getvalue()
    assert "\x1b" not in lines
    told = ["shop, seed 4711", "starting hosts", "drill 1 of 5: kill web", "drill 4 of 5: power cut primary", "struck db1\n",
            "noticed after 21.3 s: db2 took over", "mended after 30.0 s", "redundancy back after 39.2 s",
            "audit of orders: 0 of 1890 acknowledged writes lost", "drill 5 of 5: switchover"]
    places = [lines.index(text) for text in told]
    assert places == sorted(places)


def test_progress_says_what_the_steady_state_is_missing_and_when_service_is_back():
    stream = io.StringIO()
    with progress(stream) as shown:
        missing = {"missing": ["db2/patroni", "orders"]}
        shown.saw(Event(at_s=1.0, kind="waiting", subject="steady state", drill="kill", detail=missing))
        shown.saw(Event(at_s=4.0, kind="drill.struck", subject="db1", drill="kill"))
        shown.saw(Event(at_s=4.9, kind="service.back", subject="orders", drill="kill"))
        shown.saw(Event(at_s=5.0, kind="something new"))
    assert "waiting for steady state: db2/patroni, orders" in stream.getvalue()
    assert "orders back after 900 ms" in stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 160, 240])
def test_repeats_are_one_row_each_and_never_overflow(width):
    shown = table(judge(repeated(3, lost=1)), width=width, colour=False)
    assert max(map(len, shown.splitlines())) <= width
    assert "× 3" in shown
    assert "min / median / max" in shown


def test_repeats_show_least_middle_and_most_and_count_verdicts():
    shown = table(judge(repeated(3, lost=1)), width=240, colour=False)
    assert "21.9 / 24.1 / 26.3 s" in shown
    assert "3 VIOLATED" in shown
    assert "3 met" in shown


def test_a_comparison_tells_warnings_and_what_is_missing_and_better():
    report = judge(realistic(run={**realistic().meta["run"], "lab": "loopback"}), baseline=baseline_of(realistic(slower=1.8)))
    shown = table(report, width=160, colour=False)
    for text in ("Beside the baseline", "warning: the lab was namespaces, now it is loopback", "better", "within the tolerance"):
        assert text in shown


def test_a_narrow_terminal_gets_a_block_for_each_drill():
    report = judge(realistic(lost=3, skipped=[SKIP]))
    narrow, wide = (table(report, width=width, colour=False) for width in (70, 80))
    assert "  write outage: 21.9 s\n" in narrow
    assert "─" not in narrow
    assert "─" in wide


def test_progress_without_a_terminal_tells_waits_only_when_they_are_long_and_once():
    stream = io.StringIO()
    with progress(stream) as shown:
        for event in realistic().events:
            shown.saw(event)
    lines = stream.getvalue().splitlines()
    assert sum("starting hosts" in line for line in lines) == 1
    assert not [line for line in lines if "waiting for steady state" in line], "it took 1.5 s in each drill"
    assert not [line for line in lines if line.startswith("           ")]
    stream = io.StringIO()
    with progress(stream) as shown:
        shown.saw(Event(at_s=8.0, kind="drill.began", subject="kill web", drill="kill web"))
        for at_s in (9.0, 10.5, 12.0, 20.0):
            shown.saw(Event(at_s=at_s, kind="role", subject="db1", drill="kill web", detail={"role": ""}))
        shown.saw(Event(at_s=21.0, kind="drill.steady", subject="kill web", drill="kill web"))
    assert [line for line in stream.getvalue().splitlines() if "waiting" in line] == ["    8.0 s  waiting for steady state"]


def test_a_stream_that_knows_only_ascii_gets_plain_letters_and_no_exception():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    shown = fitting(table(judge(realistic()), width=100, colour=False), stream)
    stream.write(shown)
    assert "write outage <= 30 s" in shown
    with progress(stream) as told:
        told.saw(Event(at_s=0.0, kind="run.began", subject="caf\u00e9 \u2013 \u2713"))
    assert b"caf? - +" in raw.getvalue()


def test_the_record_can_be_named_from_here():
    shown = table(judge(realistic()), width=100, colour=False, record_path="here/record.sqlite")
    assert "record here/record.sqlite" in shown
