"""The page is one file that needs nothing else and trusts nobody."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from builder import answers, one_drill, realistic, repeated

from holdfast.record.event import Event
from holdfast.record.store import Record
from holdfast.report.baseline import baseline_of
from holdfast.report.cells import Scale, cells
from holdfast.report.findings import judge
from holdfast.report.overview import overview
from holdfast.report.page import page

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Reader(HTMLParser):
    """Collects tags and attributes, and insists that every element is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(record):
    html = page(record, judge(record))
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return html, reader


def test_the_page_is_well_formed_and_has_a_timeline_for_every_drill():
    html, reader = parsed(realistic())
    assert html.count('<svg class="timeline"') == 5
    assert reader.tags.count("article") == 5
    assert "write outage 21.9 s" in html
    assert "redundancy back +39.2 s" in html


def test_the_page_loads_nothing_from_anywhere():
    html, reader = parsed(realistic())
    assert "script" not in reader.tags
    assert "link" not in reader.tags
    assert "img" not in reader.tags
    assert not [value for _, name, value in reader.attributes if name in ("src", "srcset", "href") and not value.startswith("#")]
    assert "@import" not in html
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))


def test_every_text_from_outside_is_escaped():
    evil = "<script>alert('\"&')</script>"
    record = realistic()
    run = {**record.meta["run"], "service": evil, "lab": evil, "lab_notes": [evil], "command": evil, "began_wall": evil,
           "seed": evil, "holdfast_version": evil, "programs": [{"name": evil, "version": evil, "path": evil, "source": evil}]}
    drills = {drill["name"]: f"{drill['name']}{evil}" for drill in record.meta["drills"]}
    meta = {
        **record.meta, "run": run, "hosts": [{"name": evil, "address": evil, "zone": evil, "tiers": [evil]}],
        "probes": {f"{name}{evil}": {**probe, "what": evil, "client": evil} for name, probe in record.meta["probes"].items()},
        "drills": [{**drill, "name": drills[drill["name"]], "fault": evil, "target": evil} for drill in record.meta["drills"]],
        "skipped": [{"name": evil, "fault": evil, "target": evil, "reason": evil}],
    }
    events = tuple(
        dataclasses.replace(
            event, subject=event.subject + evil, drill=drills.get(event.drill, ""), detail={**event.detail, evil: evil}
        )
        for event in record.events
    )
    asked = tuple(dataclasses.replace(one, drill=drills[one.drill], probe=one.probe + evil, detail=evil) for one in record.asked)
    html, reader = parsed(Record(path=evil, meta=meta, events=events, asked=asked))
    assert "script" not in reader.tags
    assert "<script" not in html
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]


def test_ten_thousand_answers_in_each_drill_stay_small():
    record = realistic()
    asked = list(answers("orders", drill="kill", begin_s=5.0, end_s=110.0, every_s=0.01, troubles=[(10.0, 100.0, "half")]))
    assert len(asked) > 10_000
    assert len(page(one_drill(asked), judge(one_drill(asked))).encode()) < 200_000
    assert len(page(record, judge(record)).encode()) < 200_000


@pytest.mark.parametrize("lost", [0, 3])
def test_a_page_is_the_same_for_the_same_record(lost):
    record = realistic(lost=lost)
    assert page(record, judge(record)) == page(record, judge(record))


def test_a_crashed_record_and_an_empty_one_have_a_page():
    record = realistic()
    for until_s in (0.0, 0.5, 9.0, 11.0, 30.0, 60.0):
        crashed = Record(meta=record.meta, events=tuple(event for event in record.events if event.at_s < until_s),
                         asked=tuple(one for one in record.asked if one.answered_s < until_s))
        html, _ = parsed(crashed)
        assert "inconclusive" in html
    html, _ = parsed(Record(meta={}, events=(), asked=()))
    assert "No drill was executed" in html


def test_a_lane_shows_every_bad_answer_however_many_good_ones_stand_beside_it():
    asked = list(answers("orders", drill="kill", begin_s=0.0, end_s=200.0, every_s=0.01))
    asked[10_000] = dataclasses.replace(asked[10_000], answer="no")
    drawn = cells(asked, Scale(from_s=0.0, to_s=200.0, left=0.0, width=850.0), 0.01)
    assert sum(cell.no for cell in drawn) == 1
    assert [cell.no_quarters for cell in drawn] == [0, 1, 0]
    assert sum(cell.yes + cell.no for cell in drawn) >= len(asked) - 2


def test_repeats_and_a_baseline_have_a_place_on_the_page():
    record = repeated(3, lost=1)
    html = page(record, judge(record, baseline=baseline_of(realistic(slower=2))))
    assert "<h2>Repeats</h2>" in html
    assert "21.9 / 24.1 / 26.3 s" in html
    assert "<h2>Beside the baseline</h2>" in html
    plain = page(realistic(), judge(realistic()))
    assert "Repeats" not in plain
    assert "Beside" not in plain


def test_a_timeline_ends_with_its_drill():
    record = realistic()
    first = next(event for event in record.events if event.kind == "drill.ended")
    later = tuple(Event(at_s=first.at_s + after_s, kind="role", subject="db9/patroni", drill="", detail={"role": "primary"})
                  for after_s in (0.01, 0.2))
    mended = tuple(dataclasses.replace(event, at_s=first.at_s - 0.05)
                   if (event.kind, event.drill) == ("drill.mended", first.drill) else event for event in record.events)
    record = Record(meta=record.meta, events=(*mended, *later), asked=record.asked)
    html = page(record, judge(record))
    drawing = html[html.index('<svg class="timeline"'):]
    assert "db9" not in drawing[: drawing.index("</svg>")]


def test_what_happened_is_told_in_words():
    record = realistic()
    html, _ = parsed(record)
    happened = html[html.index('<table class="events">'):]
    happened = happened[: happened.index("</table>")]
    assert "after 1.50 s" in happened
    assert "nodes: db1 360" in happened
    for raw in ("{", "after_s", "&quot;", "drill.struck"):
        assert raw not in happened, raw


def test_labels_at_a_glance_keep_clear_of_limits_and_of_each_other():
    for limits in ({"write_outage_s": 300.0, "read_outage_s": 100.0}, {"write_outage_s": 5.0, "read_outage_s": 5.0}):
        record = realistic(objectives=limits, skipped=[{"name": "lb", "fault": "power_cut", "reason": "no virtual addresses"}])
        report = judge(record)
        html = overview(report)
        labels = re.findall(r'<text(?: class="limit")? x="([\d.]+)" y="(\d+)" text-anchor="\w+">([^<]*≤[^<]*)', html)
        assert len({y for _, y, _ in labels}) == len(labels)
        lines = [float(x) for x in re.findall(r'class="limit"><line x1="([\d.]+)"', html)]
        for x, told in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="start">((?:writes|reads) [^<]*)</text>', html):
            assert not [line for line in lines if float(x) < line < float(x) + 6 * len(told)], told
        assert "skipped: no virtual addresses" in html


def test_the_first_of_many_repeats_stands_open_and_the_others_are_folded():
    html, reader = parsed(repeated(3))
    assert html.count('<details class="more">') == 5
    assert "2 more repeats of kill web: 2 met" in html
    assert reader.tags.count("article") == 15


def test_tiles_and_method_tell_how_the_beat_was_kept():
    html, _ = parsed(realistic())
    assert "99 % asked within" in html
    assert "<dt>redundancy back after</dt>" in html
    assert "<dt>slowest answer</dt>" in html
