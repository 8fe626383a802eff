"""How a command ends when something goes wrong on the way: never with a traceback, never with the 1 of a violated objective."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.cli.ending import leaf, told
from holdfast.errors import BAD_INPUT, INCONCLUSIVE, UNSTEADY, Problem, Refused

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Said:
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`holdfast` in the command is this one."""
    ours = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), **environment}
    text = command.replace("holdfast", f"{sys.executable} -m holdfast")
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, env=ours, cwd="/", timeout=60)


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001
        return caught


def test_a_mistake_of_ours_is_one_line_and_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(raised(KeyError("web1"))) == INCONCLUSIVE

    said = capsys.readouterr()
    assert said.err.startswith("holdfast: internal error: KeyError: 'web1'\n  where: ")
    assert "HOLDFAST_TRACEBACK=1" in said.err
    assert "Traceback" not in said.err
    assert not said.out


def test_the_traceback_is_there_for_whoever_asks(capsys: pytest.CaptureFixture[str]) -> None:
    told(raised(KeyError("web1")), traceback=True)

    assert "Traceback" in capsys.readouterr().err


def test_a_refusal_is_found_in_a_group_of_groups(capsys: pytest.CaptureFixture[str]) -> None:
    refused = Refused(Problem("never came into service", "web1", "look"), UNSTEADY)
    group = BaseExceptionGroup("a", [ValueError(), BaseExceptionGroup("b", [refused])])

    assert leaf(group, Refused) is refused
    assert told(raised(group), as_json=True) == UNSTEADY
    said = capsys.readouterr()
    assert json.loads(said.out)["problems"] == [{"what": "never came into service", "where": "web1", "remedy": "look"}]
    assert "remedy: look" in said.err


def test_an_interruption_in_a_group_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(raised(BaseExceptionGroup("a", [KeyboardInterrupt()]))) == 130


@pytest.mark.parametrize(("command", "code"), [
    (f"holdfast check {SHOP} > /dev/full", INCONCLUSIVE),
    (f"holdfast check {SHOP} >&-", 0),
    ("holdfast check /nowhere >&- 2>&-", BAD_INPUT),
    ("holdfast check --schema > >(exec <&-; sleep 0.1) 2>&1", 141),
    ("holdfast check --schema | (exec <&-); exit ${PIPESTATUS[0]}", 141),
    ("holdfast check /nowhere 2>&1 | (exec <&-); exit ${PIPESTATUS[0]}", 141),
    ("holdfast --help | (exec <&-); exit ${PIPESTATUS[0]}", 141),
])
def test_output_that_nobody_can_hear_is_no_violation(command: str, code: int) -> None:
    done = shell(command)

    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_terminal_that_knows_only_ascii_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / "größe"
    folder.mkdir()

    done = shell(f"holdfast check {folder}", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")

    assert done.returncode == BAD_INPUT
    assert "this folder has no topology.yaml" in done.stdout


@pytest.mark.parametrize("words", [
    ["check", "nowhere"], ["drill", "nowhere"], ["report", "nowhere"], ["diff", "nowhere", "nowhere"], ["status"],
    ["status", "--jsn"], ["chekc"],
])
def test_with_json_problems_are_json_for_every_verb(say: Said, words: list[str]) -> None:
    code, out, _ = say(*words, "--json")

    found = json.loads(out)
    assert code == BAD_INPUT
    assert found["schema"] == "holdfast.problems/1"
    assert found["problems"][0]["what"]


@pytest.mark.parametrize(("words", "expected"), [
    (["chekc"], "did you mean 'check'?"),
    (["check", "--jsn"], "did you mean '--json'?"),
    (["drill", "--only"], "usage: holdfast drill"),
    (["check", "--jsn"], "usage: holdfast check"),
    (["shell"], "the following arguments are required: HOST\n"),
    (["--nonsense"], "--nonsense cannot be understood"),
    (["drill", "--suite", "standart"], "did you mean 'standard'?"),
])
def test_a_misspelt_word_is_told_with_the_usage_of_its_verb(say: Said, words: list[str], expected: str) -> None:
    code, _, err = say(*words)

    assert code == BAD_INPUT
    assert expected in err


@pytest.mark.parametrize(("words", "expected"), [
    (["help"], "130 interrupted"), ([], "130 interrupted"), (["--help"], "incomplete"), (["help", "drill"], "--repeat N"),
    (["-V"], "holdfast "), (["--version"], "holdfast "),
])
def test_help_and_version(say: Said, words: list[str], expected: str) -> None:
    code, out, _ = say(*words)

    assert code == 0
    assert expected in out


def test_every_option_has_a_help_text() -> None:
    from holdfast.cli.arguments import _made

    _, verbs = _made()
    without = [(name, action.dest) for name, verb in verbs.items() for action in verb._actions if not action.help]
    assert not without


@pytest.mark.parametrize("verb", ["check", "drill", "up", "render -o out"])
def test_without_a_topology_it_is_the_folder_where_you_are(say: Said, verb: str) -> None:
    _, out, err = say(*verb.split())

    assert "this folder has no topology.yaml" in out + err


def test_behind_two_hyphens_a_word_is_a_file(say: Said) -> None:
    _, _, err = say("drill", "--", "--nowhere")

    assert "--nowhere  there is no such file" in err
