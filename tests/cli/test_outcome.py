"""What a run leaves: files that were asked for, and what GitHub shows; nothing is found out only after a long run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builder import realistic, write

from holdfast.cli import main
from holdfast.errors import INCONCLUSIVE, VIOLATED
from holdfast.record.store import Record

EXAMPLES = Path(__file__).parents[2] / "examples"

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Said:
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_baseline_written_by_one_run_fails_a_worse_one(say: Said, tmp_path: Path) -> None:
    write(realistic(), tmp_path / "old" / "record.sqlite")
    write(realistic(slower=1.3), tmp_path / "new" / "record.sqlite")

    assert say("report", "old", "--write-baseline", "baseline.json")[0] == 0
    assert say("report", "old", "--baseline", "baseline.json")[0] == 0
    code, out, _ = say("report", "new", "--baseline", "baseline.json", "--junit", "junit.xml")

    assert code == VIOLATED
    assert "power cut primary" in out
    assert "are tolerated" in " ".join(out.split())
    assert 'failures="' in (tmp_path / "junit.xml").read_text()


def test_one_file_may_be_read_and_then_written(say: Said, tmp_path: Path) -> None:
    write(realistic(), tmp_path / "old" / "record.sqlite")
    write(realistic(slower=1.3), tmp_path / "new" / "record.sqlite")
    say("report", "old", "--write-baseline", "baseline.json")

    assert say("report", "new", "--baseline", "baseline.json", "--write-baseline", "baseline.json")[0] == VIOLATED
    assert say("report", "new", "--baseline", "baseline.json")[0] == 0


def test_a_run_that_measured_nothing_leaves_the_old_baseline_alone(say: Said, tmp_path: Path) -> None:
    write(Record(meta={}, events=(), asked=()), tmp_path / "run" / "record.sqlite")
    (tmp_path / "baseline.json").write_text("old")

    code, _, err = say("report", "run", "--write-baseline", "baseline.json")

    assert code == INCONCLUSIVE
    assert "no baseline was written" in err
    assert (tmp_path / "baseline.json").read_text() == "old"


def test_a_history_has_one_operation_per_line(say: Said, tmp_path: Path) -> None:
    write(realistic(), tmp_path / "run" / "record.sqlite")

    say("report", "run", "--history", "history.jsonl")

    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(len(lines)))


def test_annotations_do_not_disturb_json_and_the_summary_is_appended(
    say: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(realistic(lost=3), tmp_path / "run" / "record.sqlite")
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    _, out, err = say("report", "run", "--json", "--github")

    assert json.loads(out)["verdict"] == "violated"
    assert "::error title=" in err
    assert summary.read_text().startswith("before\n## ")
    say("report", "run")
    assert summary.read_text().count("## ❌") == 1, "only with --github"


@pytest.mark.parametrize("words", [
    ["--baseline", "nowhere.json"], ["--write-baseline", "nowhere/b.json"], ["--history", "nowhere/h"], ["--junit", "."],
])
def test_a_file_that_cannot_be_is_told_before_the_run(say: Said, words: list[str], tmp_path: Path) -> None:
    code, out, err = say("drill", EXAMPLES / "shop", *words)

    assert code == 2
    assert "remedy" in err
    assert not (tmp_path / "holdfast-runs").exists()


@pytest.mark.parametrize("times", ["0", "-1", "x", "1001"])
def test_how_often_must_be_a_number(say: Said, times: str) -> None:
    code, _, err = say("drill", EXAMPLES / "shop", "--repeat", times)

    assert code == 2
    assert "--repeat" in err


@pytest.mark.parametrize(("words", "title"), [([], "Report of holdfast"), (["baseline"], "Baseline of holdfast")])
def test_the_schemas_are_printed(say: Said, words: list[str], title: str) -> None:
    code, out, _ = say("report", "--schema", *words)

    assert code == 0
    assert json.loads(out)["title"] == title
