"""A record that cannot be written any more ends the run: once, with exit code 6, and without a traceback."""

import asyncio
import shlex

import pytest

from holdfast.cli.arguments import parser
from holdfast.cli.drill import _carry_out, _hearing, again
from holdfast.errors import INCONCLUSIVE, UNSTEADY, Problem, Refused
from holdfast.record.event import Asked, Event
from holdfast.record.store import Store, read

BIG = Asked(drill="kill", probe="pages", number=1, due_s=1.0, asked_s=1.0, answered_s=1.2, answer="no", detail="x" * 100_000)


def full(tmp_path):
    store = Store.create(tmp_path / "record.sqlite")
    store.event(Event(at_s=0.0, kind="run.began", subject="shop"))
    store._database.execute("PRAGMA max_page_count=10")  # SQLite then answers as it does on a full disk
    return store


def test_an_answer_that_cannot_be_stored_is_remembered_and_the_next_event_tells(tmp_path):
    store = full(tmp_path)
    for _ in range(3):
        store.asked(BIG)
    assert store.failed
    with pytest.raises(Refused, match="full") as refused:
        store.event(Event(at_s=1.0, kind="run.ended"))
    assert refused.value.exit_code == INCONCLUSIVE
    store.close()
    assert not read(store.path).ended


def test_closing_tells_of_what_nobody_has_heard_of(tmp_path):
    store = full(tmp_path)
    store.asked(BIG)
    with pytest.raises(Refused, match="full"):
        store.close()


def test_a_run_ends_at_the_first_answer_that_cannot_be_stored(tmp_path, capfd):
    store = full(tmp_path)
    hear, mended = _hearing(store), []

    async def session():
        loop = asyncio.get_running_loop()
        try:
            for _ in range(30):
                loop.call_soon_threadsafe(hear, BIG)
            await asyncio.sleep(60)
        finally:
            loop.call_soon_threadsafe(hear, BIG)
            await asyncio.sleep(0.01)  # a second cancelling would end the mending here
            mended.append(True)

    with pytest.raises(Refused, match="full") as refused:
        _carry_out(session, store, tmp_path)
    assert refused.value.exit_code == INCONCLUSIVE
    assert mended
    assert "Traceback" not in capfd.readouterr().err


def test_a_run_that_was_refused_says_so_in_its_record(tmp_path):
    store = Store.create(tmp_path / "record.sqlite")

    async def session():
        async with asyncio.TaskGroup():
            raise Refused(Problem("never became redundant", where="shop"), UNSTEADY)

    with pytest.raises(Refused):
        _carry_out(session, store, tmp_path)
    store.close()
    events = read(store.path).events
    assert [event.kind for event in events] == ["problem", "run.refused"]
    assert events[1].detail == {"exit_code": UNSTEADY}


def test_the_command_of_a_run_can_be_given_again():
    words = ["drill", "my shop", "--only", "kill web", "--suite", "pr", "--lab", "loopback", "--repeat", "2"]
    command = again(parser().parse_args(words), 7)
    assert command == "holdfast drill 'my shop' --seed 7 --only 'kill web' --suite pr --repeat 2 --lab loopback"
    assert vars(parser().parse_args(shlex.split(command)[1:])) | {"seed": None, "call": 0} == vars(parser().parse_args(words)) | {
        "call": 0}
