"""The shop's health under drills: the database gone is not ready and alive, and draining loses no request."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXAMPLES, Ran, needs, needs_namespaces

from holdfast.record.event import Asked
from holdfast.record.store import Record, read

# The balancers retry nothing and ask nobody twice: every request that draining loses shows.
CHANGES = (
    ("    routes: {http: web, postgres: db}\n",
     "    routes: {http: web, postgres: db}\n    hedge_after: 5s\n    uses: {web: {retries: 0}}\n"),
)
PROBES = """\
  ready: {http: "http://web1:8080/ready", from: client, every: 50ms}
  ready_pages: {http: "http://web1:8080/ready/pages", from: client, every: 50ms}
  alive: {http: "http://web1:8080/livez", from: client, every: 50ms}
"""
GONE = """
drills:
  - {fault: power_cut, tier: db, target: all, for: 8s, objectives: {read_outage: 2min, write_outage: 2min}}
"""
DRAINING = """
drills:
  - {fault: rolling_restart, tier: web, target: all, objectives: {errors: 0}}
  - {fault: scale_in, tier: web, to: 1, for: 2s, objectives: {errors: 0}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Path]:
    """The example with drills of its own, and what else is changed in its topology."""

    def made(more: str, *changes: tuple[str, str]) -> Path:
        text = (EXAMPLES / "shop" / "topology.yaml").read_text()
        for old, new in (("python3 app.py", f"python3 {EXAMPLES / 'shop' / 'app.py'}"), *changes):
            assert old in text, f"the example no longer says {old!r}"
            text = text.replace(old, new)
        folder = tmp_path / "shop"
        folder.mkdir()
        (folder / "topology.yaml").write_text(text + more)
        return folder

    return made


def test_without_the_database_the_shop_is_not_ready_and_alive_and_its_pages_go_on(
    holdfast: Callable[..., Ran], shop: Callable[..., Path], tmp_path: Path
) -> None:
    needs("envoy", "patroni", "postgres", "etcd")
    needs_namespaces()

    ran = holdfast("drill", shop(PROBES + GONE), "--seed", 1, "--json", "--strict")

    assert ran.code == 0, ran.err[-3000:] + ran.out[-3000:]
    (path,) = tmp_path.glob("holdfast-runs/*/record.sqlite")
    record = read(path)
    struck_s, mended_s = (_when(record, kind) for kind in ("drill.struck", "drill.mended"))
    assert _said(record, "ready", 0.0, struck_s) == {"yes"}
    assert _said(record, "ready", struck_s + 3.0, mended_s) == {"status 503"}, "not ready"
    for probe in ("alive", "ready_pages", "pages"):
        assert _said(record, probe, 0.0, float("inf")) == {"yes"}, probe
    assert [one.answer for one in _answers(record, "ready")[-20:]] == ["yes"] * 20, "ready again, by itself"
    (drill,) = json.loads(ran.out)["drills"]
    assert drill["lost_writes"] == 0


def test_draining_loses_no_request_though_the_balancers_never_retry(
    holdfast: Callable[..., Ran], shop: Callable[..., Path]
) -> None:
    needs("envoy", "patroni", "postgres", "etcd")
    needs_namespaces()

    ran = holdfast("drill", shop(DRAINING, *CHANGES), "--seed", 1, "--json", "--strict")

    assert ran.code == 0, ran.err[-3000:] + ran.out[-3000:]
    drills = json.loads(ran.out)["drills"]
    assert [drill["fault"] for drill in drills] == ["rolling_restart", "scale_in"]
    assert [(drill["verdict"], drill["errors"], drill["lost_writes"]) for drill in drills] == [("met", 0, 0)] * 2


def _when(record: Record, kind: str) -> float:
    (at_s,) = {event.at_s for event in record.events if event.kind == kind}
    return at_s


def _answers(record: Record, probe: str) -> list[Asked]:
    found = [one for one in record.asked if one.probe == probe]
    assert len(found) > 100, f"{probe} was hardly asked"
    return sorted(found, key=lambda one: one.asked_s)


def _said(record: Record, probe: str, since_s: float, until_s: float) -> set[str]:
    """What the probe was told by whoever it asked in this time: `yes`, or why not."""
    found = [one for one in _answers(record, probe) if since_s <= one.asked_s and one.answered_s <= until_s]
    assert found, f"{probe} was not asked in this time"
    return {"yes" if one.answer == "yes" else one.detail for one in found}
