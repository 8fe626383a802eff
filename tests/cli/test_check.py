"""`holdfast check` with the real engines, probes and faults: what could not work is told before anything runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cli import main

ROOT = Path(__file__).parents[2]

SHOP = """\
service: shop
objectives: {write_outage: 30s, read_outage: 5s}
tiers:
  entry: {engine: haproxy, replicas: 2, routes: {http: web, postgres: db}}
  web: {engine: command, replicas: 3, run: python3 app.py, uses: {db: }}
  db: {engine: patroni, replicas: 3, consensus: etcd}
  etcd: {engine: etcd, replicas: 3, on: db}
probes:
  pages: {http: "http://entry/", every: 50ms}
  orders: {ledger: db, through: entry, every: 20ms}
"""

Told = Callable[..., list[str]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Told:
    """What `check` says of the shop with each first text replaced by the second and more lines behind it."""
    (tmp_path / "app.py").touch()

    def check(*changes: tuple[str, str], more: str = "", text: str = SHOP) -> list[str]:
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (tmp_path / "topology.yaml").write_text(text + more)
        code = main(["check", str(tmp_path)])
        out = capsys.readouterr().out
        lines = [line.partition("  ")[2] for line in out.splitlines() if not line.startswith("  remedy:")]
        assert bool(code) == ("no problem" not in out)
        return lines if code else out.splitlines()

    return check


def test_the_shop_is_fine_and_counted_without_what_is_derived(told: Told) -> None:
    assert told() == ["shop: 4 tiers, 8 hosts (+1 client), 11 programs, no problem"]
    assert told(("replicas: 2,", "replicas: 2, vip: 10.0.1.100,")) == [
        "shop: 4 tiers, 8 hosts (+1 client), 13 programs, no problem"]


def test_one_of_each_is_told_in_the_singular_and_that_nothing_can_be_broken(told: Told) -> None:
    text = 'service: hello\ntiers: {web: {engine: command, run: sh app.py}}\nprobes: {pages: {http: "http://web/"}}\n'
    assert told(text=text) == [
        "hello: 1 tier, 1 host (+1 client), 1 program, no problem",
        "note: nothing here can be broken: no tier has two replicas or more, and there is no `drills:`",
    ]


def test_a_drill_of_what_cannot_be_broken_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "topology.yaml").write_text(
        'service: hello\ntiers: {web: {engine: command, run: sleep 1}}\nprobes: {pages: {http: "http://web/"}}\n')

    assert main(["drill"]) == 2
    assert "nothing here can be broken" in capsys.readouterr().err
    assert not (tmp_path / "holdfast-runs").exists()


@pytest.mark.parametrize(("change", "expected"), [
    # programs
    (("python3 app.py", "python3 -u apq.py --fast"), "apq.py does not exist"),
    (("python3 app.py", "./start"), "./start does not exist"),
    (("python3 app.py", "no-such-program x"), "there is no program no-such-program on the PATH of a lab's host"),
    # probes and objectives
    (("every: 50ms", "every: 4s"), "the probe pages asks every 4 s: its 20 good answers"),
    (("every: 50ms", "patience: 0"), "the probe pages waits 0 s for an answer"),
    (("read_outage: 5s", "read_outage: 10ms"), "the objective read_outage of 10 ms is shorter than the beat of the probe pages"),
    (('  pages: {http: "http://entry/", every: 50ms}\n', ""), "no probe measures the objective read_outage"),
    (("  orders: {ledger: db, through: entry, every: 20ms}\n", ""), "no probe measures the objective write_outage"),
    (("through: entry", "through: web1"), "web1 does not route postgres to db"),
    (("ledger: db", "ledger: db1"), "db1 is no database that the ledger can write to"),
    (("http://entry/", "http://client/"), "nothing at client is known to speak http"),
])
def test_each_piece_of_nonsense_is_told(told: Told, change: tuple[str, str], expected: str) -> None:
    found = told(change)
    assert any(line.startswith(expected) for line in found), found


@pytest.mark.parametrize("change", [
    ("http://entry/", "http://web1/"), ("http://entry/", "http://entry2/"), ("through: entry", "through: db2"),
    ("through: entry", "through: entry1"), ("read_outage: 5s", "read_outage: 0"),
    ("python3 app.py", "python3 -m http.server"), ("python3 app.py", "sh -c 'exec sleep 9'"), ("every: 50ms", "every: 3s"),
])
def test_what_can_work_is_let_pass(told: Told, change: tuple[str, str]) -> None:
    assert told(change) == ["shop: 4 tiers, 8 hosts (+1 client), 11 programs, no problem"]


@pytest.mark.parametrize(("drill", "expected"), [
    ("{fault: kill, tier: web, for: 0s}", "kill would be held for 0 s"),
    ("{fault: kill, tier: web, for: 2h}", "kill would be held for 7200 s"),
    ("{fault: switchover, tier: db, target: replica}", "only the primary hands over, not 'replica'"),
    ("{fault: switchover, tier: web}", "web has nobody who could hand over"),
    ("{fault: kill, tier: web, objectives: {read_outage: 1ms}}", "the objective read_outage of 1 ms is shorter"),
])
def test_a_drill_that_could_not_be_is_told(told: Told, drill: str, expected: str) -> None:
    found = told(more=f"drills:\n  - {drill}\n")
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_engines_probes_and_drills_are_heard_although_a_tier_is_misspelt(told: Told) -> None:
    found = told(
        ("http: web", "http: wbe"), ("consensus: etcd", "consensus: etcd, ttl: 5s"),
        ("replicas: 3, on: db", "replicas: 2, on: db"),
        ("ledger: db", "ledger: web"), more="drills:\n  - {fault: switchover, tier: web}\n  - {fault: kill, tier: wbe}\n",
    )

    assert [line[:44] for line in found] == [
        "there is no tier 'wbe'; did you mean 'web'?",
        "Patroni raises ttl to 20s: 5s would be an em",
        "ttl 5s is less than loop_wait + 2 * retry_ti",
        "two etcd members cannot outvote a dead third",
        "web is no database that the ledger can write",
        "web has nobody who could hand over",
        "there is no tier 'wbe'; did you mean 'web'?",
    ]


def test_a_file_of_another_name_is_not_what_was_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "topology.yaml").touch()

    main(["check", str(tmp_path / "toplogy.yaml")])
    assert "did you mean" in capsys.readouterr().out
    main(["check", str(tmp_path / "policy.yaml")])
    assert "did you mean" not in capsys.readouterr().out
