"""Every file of every engine, byte for byte.  HOLDFAST_WRITE_GOLDEN=1 writes them anew; then read the difference."""

import os
import re
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from helpers import BALANCERS, PRODUCTION, balanced, classic, meshed, pages, shop

from holdfast.blueprint import Program, Site
from holdfast.engines.catalogue import ENGINES
from holdfast.topology.model import Topology, Uses

GOLDEN = Path(__file__).parents[1] / "golden"


def loopback(topology: Topology) -> Site:
    addresses = {place.name: place.address.replace("10.0.1.", "127.10.1.") for place in topology.places}
    return replace(PRODUCTION, lab="loopback", prefix="/tmp/lab", addresses=addresses, shares_network=True, low_ports=False)


CASES = {
    "shop": (shop(), PRODUCTION), "classic": (classic(), PRODUCTION), "loopback": (shop(), loopback(shop())),
    "pages": (pages(), PRODUCTION), "pages-loopback": (pages(), loopback(pages())),
}


def reading(whole: Topology) -> Topology:
    """Its balancer also has a way to replicas."""
    routes = {"postgres": "db", "postgres_read": "db"}
    return replace(whole, tiers={**whole.tiers, "entry": whole.tiers["entry"].model_copy(update={"routes": routes})})


EVERYTHING = {
    "weights": {"web1": 3}, "server_connections": 50, "retry_after": "300ms", "websocket": True, "prefer_zone": True,
    "rate_limit": {"requests": 100, "burst": 50},
}
CALLS = Uses(timeout="5s", retries=1, ejection={"failures": 4, "for": "8s"})
CASES |= {f"balanced-{engine}": (balanced(engine, CALLS, **EVERYTHING), PRODUCTION) for engine in BALANCERS}
NEWER = replace(PRODUCTION, programs={"nginx": Program(name="nginx", path="/usr/sbin/nginx", version="1.29.6", source="PATH")})
TWO = replace(pages(), tiers={
    **pages().tiers, "entry": pages().tiers["entry"].model_copy(update={"second_vip": IPv4Address("10.0.1.101")}),
})
CASES |= {"two-addresses": (TWO, PRODUCTION)}
ENCRYPTED = {f"tls-{engine}": (balanced(engine, tls={}), PRODUCTION) for engine in BALANCERS}
ENCRYPTED |= {f"ocsp-{engine}": (balanced(engine, tls={"ocsp": True}), PRODUCTION) for engine in BALANCERS}
CASES |= {**ENCRYPTED, "tls-nginx-1.29": (balanced("nginx", tls={}), NEWER)}
CASES |= {f"reads-{engine}": (reading(whole), PRODUCTION) for engine, whole in (("haproxy", classic()), ("envoy", shop()))}
COOKIE = {"sessions": {"by": "cookie", "cookie": "SHOP"}}
CASES |= {"nginx-1.29": (balanced("nginx", **COOKIE), NEWER)}
CASES |= {"mesh": (meshed(), PRODUCTION), "mesh-loopback": (meshed(), loopback(meshed()))}
ONLY = {"pages": ("entry", "entry-vip"), "pages-loopback": ("entry",)}
ONLY |= {case: ("entry",) for case in ("nginx-1.29", "tls-nginx-1.29", *ENCRYPTED)} | {"two-addresses": ("entry-vip",)}
ONLY |= {case: ("entry",) for case in ("reads-haproxy", "reads-envoy")}
ONLY |= {"mesh": ("front", "front-mesh", "pages", "pages-mesh"), "mesh-loopback": ("front-mesh", "pages-mesh")}
ONLY |= {f"balanced-{engine}": ("entry",) for engine in BALANCERS}
"""Where the files of the other tiers are golden elsewhere already."""


def rendered(case: str) -> dict[str, str]:
    topology, site = CASES[case]
    return {
        f"{instance.host}{path}": file.text
        for instance in topology.instances
        if instance.tier in ONLY.get(case, topology.tiers)
        for path, file in ENGINES[instance.engine].files(instance, topology, site).items()
    }


@pytest.mark.parametrize("case", CASES)
def test_every_file_is_rendered_as_the_golden_one(case: str):
    found = rendered(case)
    folder = GOLDEN / case
    if os.environ.get("HOLDFAST_WRITE_GOLDEN"):
        for path, text in found.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    golden = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert sorted(found) == sorted(golden)
    for path, text in found.items():
        assert text == golden[path], path


@pytest.mark.parametrize("case", CASES)
def test_two_renderings_are_the_same_bytes(case: str):
    assert rendered(case) == rendered(case)


@pytest.mark.parametrize("case", CASES)
def test_no_file_trusts_anyone_or_lets_in_the_world_or_holds_a_secret_openly(case: str):
    topology, site = CASES[case]
    for instance in topology.instances:
        process = ENGINES[instance.engine].process(instance, topology, site)
        for path, file in process.files.items():
            assert not re.search(r"\btrust\b", file.text)
            assert "0.0.0.0/0" not in file.text
            assert not file.holds_secret or file.mode == 0o600, path
        assert process.files == ENGINES[instance.engine].files(instance, topology, site)
        assert not process.environment_file or process.environment_file in process.files
