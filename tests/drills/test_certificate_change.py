"""A renewed certificate: put in place on each host, and proven by what a handshake shows."""

import ssl
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from pretend_lab import PretendLab
from virtual_time import run

from holdfast.blueprint import Program, Site
from holdfast.cli.certificates import authority
from holdfast.cli.service import bearers, values_of
from holdfast.drills.aim import aim, fingerprint
from holdfast.drills.asking import Asker, Wire
from holdfast.drills.drill import Drill, objections
from holdfast.drills.strike import Strike
from holdfast.drills.verify import CHECKS
from holdfast.engines import command, haproxy
from holdfast.engines.engine import Questions
from holdfast.faults.catalogue import FAULTS
from holdfast.plan import plan
from holdfast.topology.model import Client, Drilled, Tier, Topology

SITE = Site(lab="namespaces", programs={"haproxy": Program(name="haproxy", path="/h", version="2.6.12", source="PATH")})
CHANGE = Drill(name="change", fault="certificate_change", tier="entry", target="all")


def topology(**settings: object) -> Topology:
    return Topology(
        service="shop", network=IPv4Network("10.0.1.0/24"), zones=("a",), clients={"client": Client()}, folder=Path("/srv"),
        tiers={
            "entry": Tier(engine="haproxy", replicas=2, routes={"http": "web"}, settings=haproxy.Settings(**settings)),
            "web": Tier(engine="command", replicas=2, settings=command.Settings(run="true")),
        },
    )  # fmt: skip


def der(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert("-----BEGIN" + pem.split("-----BEGIN")[2])


def changed(takes: set[str]) -> tuple[str, dict[tuple[str, str], str], list[str], dict[str, str]]:
    """Proof, what was written, what was done, and the secrets; only hosts at addresses in `takes` show the new certificate."""
    whole = topology(tls={})
    blueprint = plan(whole, SITE)
    secrets = values_of(whole, blueprint)

    async def certificate(address: str, port: int, patience_s: float) -> bytes:
        assert port == 443
        return der(secrets["entry-tls-next" if address in takes else "entry-tls"])

    async def session() -> tuple[str, dict[tuple[str, str], str], list[str], dict[str, str]]:
        lab = PretendLab(blueprint)
        asker = Asker(lab, SITE, Wire(certificate=certificate))
        instances = whole.instances_of("entry")
        target = aim(CHANGE, instances, whole, asker, None, secrets, 1, SITE)
        async with FAULTS["certificate_change"].strike(lab, target) as evidence:
            strike = Strike(
                drill=CHANGE, instances=instances, target=target, evidence=evidence, questions=(Questions(),) * 2, reloaded="",
                printed={}, lab=lab, asker=asker, observer=None, ended=frozenset(),
            )  # fmt: skip
            return await CHECKS["certificate_change"](strike), lab.written, [what for _, what, _ in lab.did], secrets

    return run(session())


def test_each_host_gets_the_new_certificate_and_is_told_and_both_must_show_it():
    proof, written, did, secrets = changed({"10.0.1.11", "10.0.1.12"})
    assert proof == "10.0.1.11 shows the new certificate; 10.0.1.12 shows the new certificate"
    assert written == {(host, haproxy.render.CERTIFICATE): secrets["entry-tls-next"] + "\n" for host in ("entry1", "entry2")}
    assert len(did) == 2


def test_one_host_that_still_shows_the_old_one_leaves_no_proof():
    assert changed({"10.0.1.11"})[0] == ""


def test_two_certificates_of_one_run_differ_and_are_signed_by_the_same_authority():
    whole = topology(tls={})
    secrets = values_of(whole, plan(whole, SITE))
    old, new = secrets["entry-tls"], secrets["entry-tls-next"]
    assert fingerprint(old) != fingerprint(new)
    assert old.split("-----BEGIN")[3] == new.split("-----BEGIN")[3]
    assert "PRIVATE KEY" in old
    assert authority().bundle(*bearers("entry", whole, plan(whole, SITE))).count("BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize(("settings", "secrets", "said"), [
    ({}, {}, "entry shows no certificate"),
    ({"tls": {}}, {"entry-tls": {"file": "a.pem"}}, "there is no new certificate to put in place of entry's"),
    ({"tls": {}}, {"entry-tls": {"file": "a.pem"}, "entry-tls-next": {"file": "b.pem"}}, ""),
    ({"tls": {}}, {}, ""),
])
def test_a_change_that_could_not_happen_is_objected_to(
    settings: dict[str, object], secrets: dict[str, dict[str, str]], said: str
):
    whole = replace(
        topology(**settings), secrets=secrets, drills=(Drilled(fault="certificate_change", tier="entry", target="all"),),
    )
    found = "\n".join(map(str, objections(whole)))
    assert said in found
    assert bool(found) == bool(said)
