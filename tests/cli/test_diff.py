"""`holdfast diff`: what a reviewer sees of a change before anything runs, and of two runs after it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builder import realistic, repeated, write

from holdfast.cli import main
from holdfast.report.baseline import baseline_of, written

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Said:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """The classic example elsewhere, with these replacements."""
    shutil.copytree(EXAMPLES, folder)
    path = folder / "classic" / "topology.yaml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_a_topology_does_not_differ_from_its_copy_elsewhere(say: Said, tmp_path: Path) -> None:
    code, out, _ = say("diff", EXAMPLES / "classic", changed(tmp_path / "copy"), "--exit-code")

    assert (code, out) == (0, "no difference\n")


def test_a_changed_timer_is_shown_in_the_file_and_in_what_the_engine_promises(say: Said, tmp_path: Path) -> None:
    slower = ("engine: haproxy", "engine: haproxy\n    fall: 4")
    new = changed(tmp_path / "new", slower, ("write_outage: 30s", "write_outage: 60s"))

    code, out, _ = say("diff", EXAMPLES / "classic", new)

    assert code == 0
    assert "objectives.write_outage  30s → 60s" in out
    assert "a silent instance is taken out" in out
    assert "750 ms to 1.50 s → 1.75 s to 3.00 s" in out
    assert "/etc/haproxy/haproxy.cfg: changed on entry1, entry2" in out
    assert out.count("+++ new/entry") == 1, "told once for both hosts"
    assert "promises, not measurements" not in out, "a silent instance is asked around, however long it is checked"


def test_a_lease_that_lasts_longer_is_shown_in_the_promised_outages(say: Said, tmp_path: Path) -> None:
    new = changed(tmp_path / "new", ("synchronous: 1", "synchronous: 1\n    ttl: 30s"))

    code, out, _ = say("diff", EXAMPLES / "classic", new)

    assert code == 0
    assert "19.1 s to 24.2 s → 29.1 s to 34.2 s  if the leader of etcd is not on a struck host" in out
    assert "promises, not measurements" in out
    assert say("diff", EXAMPLES / "classic", new, "--exit-code")[0] == 1


def test_the_difference_of_two_topologies_as_json(say: Said, tmp_path: Path) -> None:
    new = changed(tmp_path / "new", ("engine: command\n    replicas: 3", "engine: command\n    replicas: 4"))

    _, out, _ = say("diff", EXAMPLES / "classic", new, "--json")

    found = json.loads(out)
    assert (found["schema"], found["kind"], found["different"]) == ("holdfast.diff/1", "topologies", True)
    assert found["hosts_added"] == ["web4"]
    assert any(each["path"] == "/etc/haproxy/haproxy.cfg" for each in found["files"])
    assert not any("web4" in each["hosts"] for each in found["files"]), "the files of a new host are implied"


def test_a_changed_argument_or_program_is_shown_as_how_it_runs(say: Said, tmp_path: Path) -> None:
    new = changed(tmp_path / "new", ("run: python3 ../shop/app.py", "run: python3 ../shop/app.py --fast"))

    _, out, _ = say("diff", EXAMPLES / "classic", new)

    assert "command (how it runs): changed on web1, web2, web3" in out
    assert "+command: python3 ../shop/app.py --fast" in out


def test_two_runs_are_compared_with_the_rule_of_a_baseline(say: Said, tmp_path: Path) -> None:
    write(realistic(), tmp_path / "holdfast-runs" / "old" / "record.sqlite")
    write(repeated(3), tmp_path / "same.sqlite")
    write(realistic(slower=1.5), tmp_path / "slow" / "record.sqlite")

    code, out, _ = say("diff", "old", tmp_path / "slow")
    assert code == 0
    assert "worse" in out
    assert "power cut primary: orders: write outage 32.9 s, was 21.9 s at worst: 11.0 s more" in out
    assert say("diff", "old", tmp_path / "slow", "--exit-code")[0] == 1
    assert say("diff", "old", "old", "--exit-code")[0] == 0
    assert "21.9 / 24.1 / 26.3 s" in say("diff", "old", tmp_path / "same.sqlite")[1]


def test_a_run_can_be_compared_with_a_baseline_file_and_as_json(say: Said, tmp_path: Path) -> None:
    (tmp_path / "baseline.json").write_text(written(baseline_of(realistic())))
    write(realistic(slower=1.5), tmp_path / "slow" / "record.sqlite")

    _, out, _ = say("diff", "baseline.json", "slow", "--json")

    found = json.loads(out)
    assert (found["schema"], found["kind"], found["different"]) == ("holdfast.diff/1", "runs", True)
    assert {row["change"] for row in found["rows"]} >= {"worse", "same"}


@pytest.mark.parametrize(("words", "told"), [
    ((EXAMPLES / "shop", "old"), "one is a topology and the other a run"),
    (("nowhere", "nowhere"), "there is no run nowhere"),
    (("nowhere.yaml", "nowhere.yaml"), "nowhere.yaml"),
    (("nowhere.json", "nowhere.json"), "cannot read the baseline"),
])
def test_what_cannot_be_compared_is_told(say: Said, words: tuple[object, object], told: str) -> None:
    code, out, err = say("diff", *words)

    assert code == 2
    assert told in err
    assert not out


def test_the_steps_from_one_to_the_other_are_told_before_anybody_takes_them(say: Said, tmp_path: Path) -> None:
    more = changed(tmp_path / "more", ("engine: command\n    replicas: 3", "engine: command\n    replicas: 4"))
    moved = changed(tmp_path / "moved", ("vip: 10.0.1.100", "vip: 10.0.1.101"))

    grown, other = (say("diff", EXAMPLES / "classic", new)[1] for new in (more, moved))

    steps = grown.partition("rolled out while the service runs\n")[2].splitlines()
    assert steps[0] == "   1. boot web4"
    assert steps[-1].endswith("the service is the new one from here on")
    assert "not while the service runs\n  the virtual IP of entry would change" in other
    way = json.loads(say("diff", EXAMPLES / "classic", moved, "--json")[1])["rollout"]
    assert way["steps"] == []
    assert len(way["objections"]) == 1
