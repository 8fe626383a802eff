"""Gray failures as data: what the Envoy in front is told, and who is cut from whom."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.errors import Refused
from holdfast.faults.clock import Skew
from holdfast.faults.fault import Front, Target
from holdfast.faults.gray import Dependency, Slow, Wrong, beyond, envoy, port_in_front
from holdfast.faults.host import PowerCut, power_cut
from holdfast.lab import doctor

FRONT = Front(port=8080, health="/ready")
TIERS = {"web": ("web1", "web2"), "db": ("db1", "db2"), "etcd": ("db1", "db2"), "beside": ("web1",)}


def test_only_the_health_path_is_spared():
    config = envoy(FRONT, 29900, {"abort": {"http_status": 503}})

    (listener,) = config["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    health, everything = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert health["match"] == {"path": "/ready"}
    assert "abort" not in json.dumps(health["typed_per_filter_config"])
    assert "typed_per_filter_config" not in everything
    assert manager["http_filters"][0]["typed_config"]["abort"] == {"http_status": 503}


@given(st.frozensets(st.integers(29890, 29920)))
def test_the_port_in_front_is_nobody_elses(taken):
    assert port_in_front(taken) not in taken


@pytest.mark.real
@pytest.mark.parametrize("harm", [
    {"abort": {"http_status": 503, "percentage": {"numerator": 500_000, "denominator": "MILLION"}}},
    {"delay": {"fixed_delay": "0.25s", "percentage": {"numerator": 1_000_000, "denominator": "MILLION"}}},
])
def test_envoy_itself_accepts_what_it_is_told(harm: dict[str, object]) -> None:
    found, missing = doctor.find_programs(["envoy"], {})
    if missing and os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1":
        pytest.fail(missing["envoy"].what)
    if missing:
        pytest.skip(missing["envoy"].what)
    argv = [found["envoy"].path, "--mode", "validate", "--config-yaml", json.dumps(envoy(FRONT, 29900, harm))]

    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr[-2000:]


def test_the_dependency_is_its_hosts_that_are_not_struck():
    assert beyond(Target(hosts=("web1",), tiers=TIERS, settings=Dependency(dependency="db"))) == ("db1", "db2")
    assert beyond(Target(hosts=("db1",), tiers=TIERS, settings=Dependency(dependency="etcd"))) == ("db2",)


@pytest.mark.parametrize(("tier", "why"), [("cache", "no tier cache"), ("beside", "same hosts")])
def test_nobody_to_lose_is_refused(tier, why):
    with pytest.raises(Refused, match=why):
        beyond(Target(hosts=("web1",), tiers=TIERS, settings=Dependency(dependency=tier)))


def test_settings_are_read_as_people_write_them():
    slow = Slow(delay="250ms", share="20%")
    assert (slow.delay, slow.share) == (0.25, 0.2)
    assert Skew(by="1h").by == 3600
    with pytest.raises(ValidationError):
        Wrong(status=200)
    with pytest.raises(ValidationError):
        Wrong(share=0)


def test_what_a_lab_must_be_able_to_do_depends_on_the_settings():
    assert power_cut.abilities(PowerCut()) == ("power",)
    assert power_cut.abilities(PowerCut(unheard="4s")) == ("power", "shape")


def test_a_go_program_and_a_static_one_are_known_by_their_files(tmp_path: Path) -> None:
    files = {
        "go": b"\x7fELF.. ld-linux \xff Go buildinf: ..", "static": b"\x7fELF..", "script": b"#!/bin/sh\n",
        "usual": b"\x7fELF.. /lib64/ld-linux-x86-64.so.2",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    reasons = {name: doctor.unshiftable(str(tmp_path / name)) for name in files}

    assert "Go program" in reasons["go"]
    assert "statically" in reasons["static"]
    assert reasons["usual"] == reasons["script"] == doctor.unshiftable(str(tmp_path / "nothing")) == ""
