"""The long proofs: that each can fail, that nothing made is made again, and what their pages say."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.soak import __main__ as soak
from tools.soak.disabled import DEAF, drill_of, fitting
from tools.soak.opinion import agreed
from tools.soak.page import page
from tools.soak.proof import Kept, NotMade, Outcome, Proof
from tools.soak.residue import RESIDUE, census, left, machine
from tools.soak.seeds import compared

LEAVES_ONE = "import subprocess, sys, time; subprocess.Popen(['sleep', '30']); print('now', flush=True); time.sleep(30)"


class Counting:
    """A proof of three trials that keeps count of what it was asked to do."""

    def __init__(self, *, fails: Sequence[str] = (), stuck: Sequence[str] = ()):
        self.made: list[str] = []
        self.fails, self.stuck = fails, stuck

    def attempt(self, trial: str, folder: Path) -> Outcome:
        self.made.append(trial)
        assert not list(folder.iterdir()), "each trial has an empty folder"
        if trial in self.stuck:
            raise NotMade("the machine sleeps")
        return Outcome(passed=trial not in self.fails, figures={"took s": 1.25, "of": trial}, said="it broke")

    @property
    def proof(self) -> Proof:
        return Proof(
            name="counting", title="Counting", claim="It counts.", trials=lambda: ["one", "two", "three"], attempt=self.attempt,
            summary=lambda rows: f"{len(rows)} rows.",
        )  # fmt: skip


def prove(counting: Counting, folder: Path, *, until_s: float = float("inf"), source: str = "abc") -> tuple[bool, Kept]:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    kept = Kept(folder / "kept", counting.proof, source)
    return soak.prove(counting.proof, kept, until_s, work), kept


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = Counting(stuck=["two"])
    done, _ = prove(first, tmp_path)
    assert not done
    assert first.made == ["one", "two", "two", "two"], "what could not be made is tried again, and never passed over"

    again = Counting()
    done, kept = prove(again, tmp_path)

    assert done
    assert again.made == ["two", "three"]
    assert list(kept.rows()) == ["one", "two", "three"]


def test_when_the_time_is_over_no_trial_begins(tmp_path: Path) -> None:
    counting = Counting()
    assert prove(counting, tmp_path, until_s=0.0)[0] is False
    assert counting.made == []


def test_one_that_failed_is_kept_and_not_tried_until_it_passes(tmp_path: Path) -> None:
    prove(Counting(fails=["two"]), tmp_path)
    done, kept = prove(again := Counting(), tmp_path)
    assert done
    assert again.made == []
    assert [row["passed"] for row in kept.rows().values()] == [True, False, True]


def test_what_was_made_with_another_source_does_not_count(tmp_path: Path) -> None:
    prove(Counting(), tmp_path)
    prove(again := Counting(), tmp_path, source="def")
    assert again.made == ["one", "two", "three"]


def test_a_line_cut_short_by_a_kill_is_made_again(tmp_path: Path) -> None:
    prove(Counting(), tmp_path)
    (path,) = (tmp_path / "kept").rglob("*.jsonl")
    path.write_text(path.read_text()[:-20])
    prove(again := Counting(), tmp_path)
    assert again.made == ["three"]
    assert len(prove(Counting(), tmp_path)[1].rows()) == 3


def test_the_page_says_what_failed_and_names_no_machine(tmp_path: Path) -> None:
    counting = Counting(fails=["two"])
    _, kept = prove(counting, tmp_path)
    text = page(counting.proof, kept.rows(), facts={"cores": "2"}, source="abc")
    assert "**2 of 3 trials passed.**" in text
    assert "- two: it broke" in text
    assert "| two | **no** | 1.25 | two |" in text
    assert "- cores: 2" in text
    assert "3 rows." in text


def test_a_process_that_outlives_its_parent_is_found(tmp_path: Path) -> None:
    before = machine(tmp_path)
    running = subprocess.Popen([sys.executable, "-c", LEAVES_ONE], stdout=subprocess.PIPE, text=True)
    assert running.stdout
    running.stdout.readline()
    seen = census(running.pid)
    running.kill()
    running.wait(10)
    try:
        assert len(seen.processes) == 2
        (survivor,) = left(tmp_path, before, seen)["processes"]
    finally:
        for pid, _ in seen.processes:
            if pid != running.pid:
                subprocess.run(["kill", "-9", str(pid)])
    assert survivor != str(running.pid)


def test_the_moments_of_the_kills_are_drawn_and_stay_the_same() -> None:
    trials = RESIDUE.trials()
    assert len(set(trials)) == 20


def test_other_verdicts_are_told_and_other_victims_are_counted() -> None:
    first = {"kill web": ("met", "web1"), "freeze web": ("violated", "web2")}
    assert compared(first, first).passed
    moved = compared(first, {**first, "kill web": ("met", "web3")})
    assert (moved.passed, moved.figures["struck the same"]) == (True, "1 of 2")
    assert not compared(first, {**first, "kill web": ("void", "web1")}).passed
    assert not compared(first, {"kill web": ("met", "web1")}).passed, "a drill that is not there"
    assert not compared({}, {}).passed, "nothing was compared"


def answers(gap_s: float, *, beat_s: float = 0.04) -> list[float]:
    """The moments of a shell's good answers: a hundred on its beat, a gap, a hundred more."""
    moments = [beat_s * number for number in range(100)]
    return [*moments, *(moments[-1] + gap_s + each for each in moments)]


@pytest.mark.parametrize(("shell_s", "agree"), [(1.69, True), (1.31, True), (1.71, False), (0.1, False)])
def test_two_opinions_agree_within_200_ms(shell_s: float, agree: bool) -> None:
    assert agreed({"outages": [{"length_s": 1.5}]}, answers(shell_s)).passed is agree


@pytest.mark.parametrize("outages", [[], [{"length_s": None}], [{"length_s": 1.0}, {"length_s": 0.5}]])
def test_without_one_outage_that_ended_nothing_agrees(outages: list[dict[str, float | None]]) -> None:
    assert not agreed({"outages": outages}, answers(1.0)).passed


def test_a_shell_that_could_not_keep_up_gives_no_opinion() -> None:
    with pytest.raises(NotMade, match="160 ms apart while nothing was broken"):
        agreed({"outages": [{"length_s": 1.5}]}, answers(1.5, beat_s=0.16))


def test_every_fault_that_a_small_service_can_be_drilled_with_is_disabled_once() -> None:
    assert len(fitting()) >= 15
    assert {"kill", "power_cut", "partition", "slow_link", "reload"} <= set(fitting())
    assert all(name in drill_of(name) for name in fitting())
    compile(DEAF, "catalogue.py", "exec")
