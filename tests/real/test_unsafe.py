"""Services that every vendor's checker accepts and that fail over wrongly: holdfast must say so, with the right finding.

Some are broken here; the rest, with what was measured, are in examples/unsafe/README.md.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
from conftest import EXAMPLES, Ran, needs, needs_namespaces

from holdfast.cli.service import sensible
from holdfast.drills.drill import declared

UNSAFE = EXAMPLES / "unsafe"
FOLDERS = sorted(path.parent for path in UNSAFE.glob("*/topology.yaml"))
NAMES = [folder.name for folder in FOLDERS]
USUAL = ("async", "no_check", "vip_weight", "writes_by_health")
"""Checked by the vendors in every run of the tests; the others in `make soak`."""
DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin/postgres")


def rows() -> dict[str, list[str]]:
    """Folder to the cells of its row in the README."""
    lines = re.findall(r"^\| \[(\w+)\]\(\1\) \|(.*)\|$", (UNSAFE / "README.md").read_text(), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in lines}


def test_there_are_more_than_ten_and_each_has_its_row() -> None:
    assert len(NAMES) > 10
    assert sorted(rows()) == NAMES


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_nothing_in_it_looks_wrong(folder: Path) -> None:
    topology = sensible(str(folder))
    assert len(declared(topology)) == 1
    first, second = (folder / "topology.yaml").read_text().splitlines()[:2]
    assert first.startswith("# UNSAFE: ")
    assert second.startswith("# Exposed by: ")
    assert all(rows()[folder.name][:5])


@pytest.mark.parametrize(
    "folder", [pytest.param(each, marks=() if each.name in USUAL else pytest.mark.soak) for each in FOLDERS], ids=NAMES
)
def test_the_vendors_checkers_accept_it(holdfast: Callable[..., Ran], tmp_path: Path, folder: Path) -> None:
    topology = sensible(str(folder))
    engines = {tier.engine for tier in topology.tiers.values()} - {"command"}
    needs(*engines, *({"postgres"} if "patroni" in engines else ()))
    needs_namespaces()
    if (folder / "patroni").is_dir() and not DEBIAN_POSTGRES.exists():
        pytest.skip(f"its files name {DEBIAN_POSTGRES}")

    ran = holdfast("render", folder, "-o", tmp_path / "rendered", limit_s=60)

    assert ran.code == 0, ran.err
    checked = [line for line in ran.out.splitlines() if "accepted by" in line]
    assert {line.split("/")[1].split()[0] for line in checked} >= engines - {"etcd"}
    for tier, texts in topology.configs.items():
        for host, text in texts.items():
            written = [path.read_bytes() for path in (tmp_path / "rendered" / host).rglob("*") if path.is_file()]
            assert text.encode() in written, f"the config of {tier} is not as it was"


def violated(ran: Ran) -> dict[str, dict[str, object]]:
    """The objectives that the only drill broke."""
    assert ran.code == 1, ran.out[-2000:] + ran.err[-2000:]
    (drill,) = json.loads(ran.out)["drills"]
    assert drill["verdict"] == "violated"
    return {finding["objective"]: finding for finding in drill["findings"] if finding["met"] is False}


def test_asynchronous_replication_loses_acknowledged_writes(holdfast: Callable[..., Ran]) -> None:
    needs("haproxy", "keepalived", "patroni", "postgres", "etcd")
    needs_namespaces()

    ran = holdfast("drill", UNSAFE / "async", "--seed", 1, "--json")

    assert set(violated(ran)) == {"lost_writes"}
    (drill,) = json.loads(ran.out)["drills"]
    # A write every 10 ms for the 4 s in which no standby heard of it; a busy machine may manage fewer.
    assert 100 < drill["lost_writes"] < 600
    assert "heard nothing of" in drill["evidence"]["verified"]["said"]


@pytest.mark.soak
def test_the_same_service_with_one_synchronous_standby_loses_nothing(holdfast: Callable[..., Ran], tmp_path: Path) -> None:
    needs("haproxy", "keepalived", "patroni", "postgres", "etcd")
    needs_namespaces()
    text = (UNSAFE / "async" / "topology.yaml").read_text()
    # Less than standby_timeout: later the primary would go on alone, and then nobody may take over from it.
    repaired = text.replace("synchronous: 0", "synchronous: 1").replace("unheard: 4s", "unheard: 2s")
    (tmp_path / "topology.yaml").write_text(repaired)

    ran = holdfast("drill", tmp_path / "topology.yaml", "--seed", 1, "--json")

    assert ran.code == 0, ran.out[-2000:] + ran.err[-2000:]
    (drill,) = json.loads(ran.out)["drills"]
    assert drill["lost_writes"] == 0


@pytest.mark.parametrize(("name", "program", "objective"), [
    ("vip_weight", "keepalived", "read_outage_s"),
    pytest.param("no_check", "haproxy", "read_outage_s", marks=pytest.mark.soak),
    pytest.param("envoy_panic", "envoy", "read_outage_s", marks=pytest.mark.soak),
])
def test_the_mistake_is_exposed_by_its_drill(
    holdfast: Callable[..., Ran], name: str, program: str, objective: str
) -> None:
    needs("haproxy", program)
    needs_namespaces()

    found = violated(holdfast("drill", UNSAFE / name, "--seed", 1, "--json", limit_s=60))

    assert set(found) == {objective}
    assert found[objective]["measured"] > found[objective]["limit"]


@pytest.mark.soak
def test_without_the_mistake_the_same_drill_is_met(holdfast: Callable[..., Ran], tmp_path: Path) -> None:
    needs("haproxy")
    needs_namespaces()
    copytree(UNSAFE, tmp_path / "unsafe")
    config = tmp_path / "unsafe" / "no_check" / "haproxy.cfg"
    config.write_text(config.read_text().replace(":8080\n", ":8080 check inter 250ms fall 2\n"))

    ran = holdfast("drill", config.parent, "--seed", 1, "--json", limit_s=60)

    assert ran.code == 0, ran.out[-2000:] + ran.err[-2000:]
