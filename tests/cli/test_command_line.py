"""What the command says to bad input: what, where and remedy, the right exit code, never a traceback."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.cli import main
from holdfast.cli.service import kinds, loopback_addresses, sensible
from holdfast.errors import Refused
from holdfast.topology.schema import schema

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

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


@pytest.mark.parametrize("example", ["shop", "classic"])
def test_the_examples_have_no_problem(say: Said, example: str) -> None:
    code, out, _ = say("check", EXAMPLES / example)

    assert code == 0
    assert "no problem" in out


def test_every_mistake_of_a_file_is_told_at_once_with_its_place(say: Said, tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    (tmp_path / "topology.yaml").write_text(
        "service: shop\n"
        "tiers:\n"
        "  web: {engine: command, run: python3 app.py, replicas: 2}\n"
        "  db: {engine: patroni, replicas: 3, synchronous: 3, consensus: etcd, ttl: 22s, loop_wait: 10s, retry_timeout: 10s}\n"
        "  etcd: {engine: etcd, replicas: 2, on: db}\n"
        "probes: {w: {ledger: web}, p: {http: 'http://etcd/'}}\n"
    )

    code, out, err = say("check", tmp_path)

    assert code == 2
    assert "topology.yaml:4:" in out
    assert "loop_wait + 2 * retry_timeout" in out
    assert "web is no database" in out
    assert "nothing at etcd is known to speak http" in out
    assert "etcd members" in out
    assert out.count("remedy:") == 5
    assert "5 problems" in err


def test_problems_as_json_name_place_and_remedy(say: Said, tmp_path: Path) -> None:
    (tmp_path / "topology.yaml").write_text("service: shop\ntires: {}\n")

    code, out, _ = say("check", tmp_path, "--json")

    found = json.loads(out)
    assert code == 2
    assert found["schema"] == "holdfast.problems/1"
    assert {"what", "where", "remedy"} == set(found["problems"][0])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["drill", "nowhere"], 2, "nowhere"),
        (["drill", EXAMPLES / "shop", "--only", "earthquake"], 2, "is no fault"),
        (["drill", EXAMPLES / "shop", "--only", "isolate"], 2, "is not among this topology's drills"),
        (["report", "nowhere"], 2, "there is no run nowhere"),
        (["report"], 2, "there is no run yet"),
        (["status"], 2, "no lab is running"),
        (["shell", "db1"], 2, "no lab is running"),
        (["check"], 2, "this folder has no topology.yaml"),
        (["up", EXAMPLES / "shop", "--publish", "99999999"], 2, "--publish"),
        (["drill", EXAMPLES / "shop", "--seed", "abc"], 2, "invalid"),
    ],
)
def test_bad_words_are_answered_with_a_problem(say: Said, words: list[object], code: int, told: str) -> None:
    got, out, err = say(*words)

    assert got == code
    assert told in out + err
    assert "Traceback" not in out + err


def test_a_folder_for_runs_that_cannot_be_made_is_a_problem(say: Said, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    code, _, err = say("drill", EXAMPLES / "shop", "--runs", tmp_path / "file" / "runs", "--lab", "namespaces")

    assert code == 2
    assert "cannot make a folder" in err or "not on this machine" in err or "no namespaces" in err


def test_render_does_not_touch_a_folder_that_is_not_its_own(say: Said, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "thesis.txt").write_text("years of work")

    code, _, err = say("render", EXAMPLES / "classic", "-o", kept, "--no-check")

    assert code == 2
    assert "something else" in err
    assert (kept / "thesis.txt").read_text() == "years of work"


def test_rendering_twice_gives_the_same_bytes_and_takes_away_what_is_gone(say: Said, tmp_path: Path) -> None:
    def tree() -> dict[str, bytes]:
        return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}

    out = tmp_path / "out"
    assert say("render", EXAMPLES / "classic", "-o", out, "--no-check")[0] == 0
    first = tree()
    assert say("render", EXAMPLES / "classic", "-o", out, "--no-check")[0] == 0
    assert tree() == first
    assert say("render", EXAMPLES / "shop", "-o", out, "--no-check")[0] == 0
    assert not (out / "entry1/etc/haproxy/haproxy.cfg").exists()
    assert (out / "entry1/etc/envoy/envoy.yaml").exists()


def test_no_secret_is_rendered_and_files_that_refer_to_one_are_private(say: Said, tmp_path: Path) -> None:
    say("render", EXAMPLES / "classic", "-o", tmp_path / "out", "--no-check")

    holding = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and "secret://" in path.read_text()]
    assert holding
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from holdfast.cli.arguments import parser; parser().format_help();"
        "print([name for name in ('pydantic', 'yaml', 'rich', 'psycopg', 'asyncio') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_schema_for_editors_is_the_one_of_the_models() -> None:
    committed = json.loads((ROOT / "docs" / "topology.schema.json").read_text())

    assert committed == json.loads(json.dumps(schema(kinds()))), "run: holdfast check --schema > docs/topology.schema.json"


def test_loopback_addresses_are_distinct_and_on_loopback(tmp_path: Path) -> None:
    topology = sensible(str(EXAMPLES / "classic"))

    addresses = loopback_addresses(topology, tmp_path)

    assert len(set(addresses.values())) == len(topology.places)
    assert all(address.startswith("127.") for address in addresses.values())


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_check_crash(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "topology.yaml"
    path.write_bytes(content)

    with contextlib.suppress(Refused):
        sensible(str(path))
