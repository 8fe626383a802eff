"""The record keeps what happened, whatever happens to the run."""

import dataclasses
import json
import subprocess
import sys
import textwrap

import pytest
from builder import realistic, write

from holdfast.errors import INCONCLUSIVE, Refused
from holdfast.record.event import Asked, Event
from holdfast.record.store import Store, read

ASKED = Asked(drill="kill", probe="pages", number=1, due_s=1.0, asked_s=1.0, answered_s=1.2, answer="no", detail="503")


def test_what_was_written_is_read_back_in_order(tmp_path):
    record = realistic()
    again = read(write(record, tmp_path / "run.holdfast"))
    assert again.events == record.events
    assert again.asked == record.asked
    assert dict(again.meta) == json.loads(json.dumps(record.meta))
    assert again.ended


def test_a_record_is_readable_while_it_is_written(tmp_path):
    with Store.create(tmp_path / "run.holdfast") as store:
        store.event(Event(at_s=0.0, kind="run.began", subject="shop"))
        assert [event.kind for event in read(store.path).events] == ["run.began"]
        store.asked(ASKED)
        assert read(store.path).asked == (ASKED,)
        assert not read(store.path).ended


def test_a_run_that_was_killed_leaves_a_readable_record(tmp_path):
    path = tmp_path / "run.holdfast"
    program = f"""
        import os
        from holdfast.record.event import Event
        from holdfast.record.store import Store
        store = Store.create({str(path)!r})
        store.meta("run", {{"service": "shop"}})
        store.event(Event(at_s=0.0, kind="run.began", subject="shop"))
        os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False, timeout=30)
    record = read(path)
    assert not record.ended
    assert [event.kind for event in record.events] == ["run.began"]
    assert record.meta["run"] == {"service": "shop"}


def test_a_closed_record_is_a_single_file(tmp_path):
    write(realistic(), tmp_path / "run.holdfast")
    assert [path.name for path in tmp_path.iterdir()] == ["run.holdfast"]


def test_a_record_is_never_written_over(tmp_path):
    path = write(realistic(), tmp_path / "run.holdfast")
    with pytest.raises(Refused, match="already"):
        Store.create(path)


def test_a_folder_that_cannot_be_made_is_a_problem_and_not_a_traceback(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be written"):
        Store.create(tmp_path / "file" / "run.holdfast")


def test_a_full_disk_is_a_problem_and_what_was_written_is_kept(tmp_path):
    store = Store.create(tmp_path / "run.holdfast")
    store.event(Event(at_s=0.0, kind="run.began", subject="shop"))
    store._database.execute("PRAGMA max_page_count=10")  # SQLite then answers as it does on a full disk
    with pytest.raises(Refused, match="full") as refused:
        store.event(Event(at_s=1.0, kind="problem", subject="x" * 100_000))
    assert refused.value.exit_code == INCONCLUSIVE
    store.close()
    assert read(store.path).events[0].kind == "run.began"


@pytest.mark.parametrize("content", [b"", b"service: shop\n", bytes(range(256)) * 40, b"SQLite format 3\0" + b"\0" * 4000])
def test_a_file_that_is_no_record_is_refused(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(Refused, match="no record"):
        read(path)


def test_a_record_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Refused, match="no such record"):
        read(tmp_path / "nothing")


def test_details_that_json_does_not_know_are_still_stored(tmp_path):
    with Store.create(tmp_path / "run ?#%.holdfast") as store:
        store.event(Event(at_s=0.0, kind="drill.struck", detail={"held": {"b", "a"}, "asked": ASKED, "path": tmp_path}))
        store.asked(dataclasses.replace(ASKED, detail="caf\udce9"))
    record = read(store.path)
    assert record.events[0].detail == {"held": ["a", "b"], "asked": dataclasses.asdict(ASKED), "path": str(tmp_path)}
    assert record.asked[0].detail == "caf?"
