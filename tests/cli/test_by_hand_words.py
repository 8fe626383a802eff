"""`holdfast strike` and `mend` from outside: where there is no lab, and words that make no sense."""

import json
import os
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.cli.by_hand import Notes
from holdfast.drills.drill import Drill
from holdfast.errors import BAD_INPUT
from holdfast.record.event import Asked, Event
from holdfast.record.store import Store, read


@pytest.mark.parametrize("words", [["strike", "kill"], ["mend"], ["strike", "kill", "--json"]])
def test_without_a_lab_the_remedy_is_up(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main([*words, "--runs", str(tmp_path / "none")]) == BAD_INPUT
    assert "holdfast up TOPOLOGY" in "".join(capsys.readouterr())


@pytest.mark.parametrize(("patience", "said"), [("soon", "'soon'"), ("5", "has no unit")])
def test_patience_is_a_duration(capsys: pytest.CaptureFixture[str], patience: str, said: str) -> None:
    assert main(["strike", "kill", "--patience", patience]) == BAD_INPUT
    assert said in capsys.readouterr().err


def noted(folder: Path) -> tuple[Notes, list[int]]:
    drills: list[int] = []

    def about(store: Store, chosen: tuple[Drill, ...]) -> None:
        drills.append(len(chosen))
        store.meta("drills", [{"name": each.name} for each in chosen])

    return Notes(folder, about), drills


ANSWER = Asked(drill="kill web", probe="pages", number=1, due_s=2.0, asked_s=2.0, answered_s=2.1, answer="yes")


def test_a_lab_in_which_nothing_was_done_leaves_no_record(tmp_path: Path) -> None:
    notes, _ = noted(tmp_path)
    notes.write(Event(at_s=1.0, kind="redundancy.back"))
    notes.end(2.0, "shop")
    assert notes.close() is None
    assert os.listdir(tmp_path) == []


def test_what_happened_before_the_first_strike_stands_in_its_record(tmp_path: Path) -> None:
    notes, drills = noted(tmp_path)
    notes.write(Event(at_s=1.0, kind="redundancy.back", subject="shop"))
    notes.hear(ANSWER)
    notes.add(None)
    notes.add(Drill(name="kill web", fault="kill", tier="web", target="one"))
    notes.hear(ANSWER)
    notes.end(3.0, "shop")
    path = notes.close()
    assert path
    record = read(path)
    assert [event.kind for event in record.events] == ["redundancy.back", "run.ended"]
    assert len(record.asked) == 1, "nobody counts answers before anything was asked by hand"
    assert drills == [0, 1]
    assert json.dumps(record.meta["drills"]) == '[{"name": "kill web"}]'
