"""Planned changes for real: a small service grows, shrinks and gets other settings while a visitor asks without a pause."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXAMPLES, Ran, needs, needs_namespaces

TOPOLOGY = """\
service: pages
tiers:
  entry: {{engine: {engine}, replicas: 2, routes: {{http: web}}, check_interval: {interval}}}
  web: {{engine: command, replicas: 2, run: python3 {program}, port: 8080, health: /ready, env: {{MODE: {mode}}}}}
probes: {{pages: {{http: "http://entry/", every: 20ms}}}}
"""
DRILLS = """\
drills:
  - {fault: scale_out, tier: web, to: 4, for: 2s}
  - {fault: scale_in, tier: web, to: 1, for: 2s}
  - {fault: config_change, to: next.yaml, for: 2s}
"""


@pytest.fixture
def growing(tmp_path: Path) -> Callable[[str], Path]:
    """The service behind this balancer, with another version of itself beside it."""

    def made(engine: str) -> Path:
        folder = tmp_path / "growing"
        folder.mkdir()
        program = EXAMPLES / "unsafe" / "page.py"
        now, later = (
            TOPOLOGY.format(engine=engine, program=program, interval=interval, mode=mode)
            for interval, mode in (("250ms", "now"), ("500ms", "later"))
        )
        (folder / "topology.yaml").write_text(now + DRILLS)
        (folder / "next.yaml").write_text(later)
        return folder

    return made


@pytest.mark.parametrize("engine", ["haproxy", "envoy"])
def test_a_service_grows_shrinks_and_changes_its_settings_without_a_failed_page(
    holdfast: Callable[..., Ran], growing: Callable[[str], Path], engine: str
) -> None:
    needs(engine)
    needs_namespaces()
    _all_changes_are_met(holdfast("drill", growing(engine), "--seed", 1, "--json", "--strict"))


def test_the_lab_without_namespaces_can_change_a_service_as_well(
    holdfast: Callable[..., Ran], growing: Callable[[str], Path]
) -> None:
    needs("haproxy")
    _all_changes_are_met(holdfast("drill", growing("haproxy"), "--seed", 1, "--json", "--lab", "loopback"))


def _all_changes_are_met(ran: Ran) -> None:
    assert ran.code == 0, ran.err[-3000:] + ran.out[-3000:]
    drills = json.loads(ran.out)["drills"]
    assert [drill["fault"] for drill in drills] == ["scale_out", "scale_in", "config_change"]
    assert [(drill["verdict"], drill["errors"]) for drill in drills] == [("met", 0)] * 3
