"""Every rendered file is accepted by its own program's verifier."""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from helpers import PRODUCTION, classic, pages, shop

from holdfast.blueprint import Process, Program, Site
from holdfast.engines.catalogue import ENGINES
from holdfast.lab.writing import as_bytes
from holdfast.topology.model import Topology

pytestmark = pytest.mark.real


def found(name: str) -> str:
    """Where a program is: PATH, the system's folders, beside this Python, PostgreSQL's folder."""
    beside = [str(Path(sys.executable).parent), "/usr/local/sbin", "/usr/sbin"]
    postgres = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    # PostgreSQL's folder first: a lone `postgres` elsewhere on PATH lacks the tools that Patroni needs beside it.
    path = shutil.which(name, path=os.pathsep.join([*postgres[-1:], os.environ.get("PATH", ""), *beside]))
    if path is None:
        if os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1":
            pytest.fail(f"{name} is missing, and HOLDFAST_REQUIRE_ENGINES=1 demands it")
        pytest.skip(f"{name} is not installed")
    return path


def site(folder: Path, topology: Topology, *names: str) -> Site:
    """This machine's programs, files below a folder, addresses of the loopback network."""
    programs = {
        name: Program(name=name, path=found(name), version=PRODUCTION.programs[name].version, source="PATH") for name in names
    }
    addresses = {place.name: place.address.replace("10.0.1.", "127.88.1.") for place in topology.places}
    return Site(
        lab="loopback", programs=programs, prefix=str(folder), addresses=addresses, shares_network=True, low_ports=False,
    )


def placed(process: Process, place: Site) -> Process:
    for path, file in process.files.items():
        target = Path(place.path(process.host, path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(as_bytes(file.text))
        target.chmod(file.mode)
    for directory in process.directories:
        Path(place.path(process.host, directory)).mkdir(parents=True, exist_ok=True)
    return process


def verdict(process: Process) -> subprocess.CompletedProcess[str]:
    return subprocess.run(process.check, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("whole", "tier", "names"), [
    (shop(), "entry", ("envoy",)),
    (classic(), "entry", ("haproxy",)),
    (pages(), "entry", ("nginx",)),
    (shop(), "db", ("patroni", "postgres")),
], ids=["envoy", "haproxy", "nginx", "patroni"])
def test_the_programs_own_verifier_accepts_the_file(tmp_path: Path, whole: Topology, tier: str, names: tuple[str, ...]):
    place = site(tmp_path, whole, *names)
    instance = whole.instances_of(tier)[0]
    process = placed(ENGINES[instance.engine].process(instance, whole, place), place)
    said = verdict(process)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "warning" not in (said.stdout + said.stderr).lower()


@pytest.mark.parametrize(("whole", "tier", "names", "good", "bad"), [
    (shop(), "entry", ("envoy",), "lb_policy: LEAST_REQUEST", "lb_policy: LEAST"),
    (classic(), "entry", ("haproxy",), "retries 2", "retrys 2"),
    (pages(), "entry", ("nginx",), "least_conn;", "least_con;"),
    (shop(), "db", ("patroni", "postgres"), "loop_wait: 1", "loop_wait: 0"),
], ids=["envoy", "haproxy", "nginx", "patroni"])
def test_the_verifier_that_we_call_does_refuse_a_wrong_file(
    tmp_path: Path, whole: Topology, tier: str, names: tuple[str, ...], good: str, bad: str,
):
    place = site(tmp_path, whole, *names)
    instance = whole.instances_of(tier)[0]
    process = ENGINES[instance.engine].process(instance, whole, place)
    broken = {path: replace(file, text=file.text.replace(good, bad)) for path, file in process.files.items()}
    assert broken != process.files
    assert verdict(placed(replace(process, files=broken), place)).returncode != 0


@pytest.mark.parametrize("second", [None, IPv4Address("10.0.1.101")])
def test_keepalived_accepts_its_file(tmp_path: Path, second: IPv4Address | None):
    whole = classic()
    whole = replace(whole, tiers={**whole.tiers, "entry": whole.tiers["entry"].model_copy(update={"second_vip": second})})
    place = replace(site(tmp_path, whole, "keepalived"), shares_network=False, addresses={})
    process = ENGINES["keepalived"].process(whole.instances_of("entry-vip")[0], whole, place)
    wires = [name for _, name in socket.if_nameindex() if name != "lo"]
    if os.geteuid() != 0 or not wires:
        pytest.skip("keepalived verifies as root only, and on a machine with a network interface")
    # The lab's hosts have an eth0; here any interface stands in for it, because keepalived looks it up.
    files = {path: replace(file, text=file.text.replace("eth0", wires[0])) for path, file in process.files.items()}
    said = verdict(placed(replace(process, files=files), place))
    # A script below a folder that others may write is refused, which is what enable_script_security is for.
    assert [text for text in (said.stdout + said.stderr).splitlines() if "script" not in text.lower()] == []
