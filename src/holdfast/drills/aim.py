"""From the instances that were drawn to the target that a fault is given."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256

from holdfast.blueprint import Site, secrets_in, with_secrets
from holdfast.drills.asking import Asker
from holdfast.drills.drill import Drill
from holdfast.drills.observe import Observer
from holdfast.drills.offering import offering
from holdfast.drills.rereading import rereading
from holdfast.drills.rotation import in_rotation
from holdfast.engines import mesh, tls
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Request
from holdfast.engines.routing import served_by
from holdfast.faults.catalogue import FAULTS
from holdfast.faults.fault import Front, Target
from holdfast.topology.model import Instance, Topology

SERVICE_LIMIT_S = 30.0
_LOOK_S = 0.05


def aim(
    drill: Drill, instances: Sequence[Instance], topology: Topology, asker: Asker, observer: Observer,
    secrets: Mapping[str, str], seed: int, site: Site,
) -> Target:  # fmt: skip
    fault = FAULTS[drill.fault]
    actions = ENGINES[instances[0].engine].actions(instances[0], topology)
    hosts = tuple(dict.fromkeys(instance.host for instance in instances))
    change = back = proof = None
    if actions.switchover:
        change = _asking(actions.switchover(hosts[0], ""), asker, secrets)
    elif drill.fault == "reload" and (ways := rereading(actions, instances, topology, site, asker)):
        change, back, proof = ways
    elif actions.certificate:
        named = tls.renewed_by(drill.tier, topology)
        renewed = {host: secrets[named[host][1]] for host in hosts if host in named and named[host][1] in secrets}
        files = _answers(instances, drill.tier, secrets, asker)
        change = _renewing(renewed, actions.certificate, files, asker) if len(renewed) == len(hosts) else None
    return Target(
        hosts=hosts,
        processes=tuple(instance.name for instance in instances),
        inner=drill.inner,
        settings=drill.settings if drill.settings is not None else fault.settings(),
        rest=tuple(place.name for place in topology.places if place.name not in hosts),
        tiers={name: tuple(each.host for each in topology.instances_of(name)) for name in topology.tiers},
        reloads=actions.reloads,
        seed=seed,
        ports={
            name: tuple(site.port(port) for port in _ports(name, topology)) for name in topology.tiers
        },
        front=_front(drill.tier, topology, site),
        program=site.programs[fault.program].path if fault.program in site.programs else "",
        change=change,
        back=back,
        proof=proof,
        in_service=_waiting(asker, observer, topology),
        offer=offering(drill, topology, site, asker),
        names_process=fault.of_process,
    )


def _ports(tier: str, topology: Topology) -> tuple[int, ...]:
    """Of its programs, and where its sidecars let others in."""
    inbound = (mesh.INBOUND_PORT,) if mesh.callers(tier, topology) else ()
    return (*ENGINES[topology.tiers[tier].engine].ports(tier, topology), *inbound)


def _front(tier: str, topology: Topology, site: Site) -> Front | None:
    served = served_by(tier, topology).get("http")
    return Front(port=site.port(served.port), health=served.check_path) if served else None


def _asking(request: Request, asker: Asker, secrets: Mapping[str, str]) -> Callable[[], Awaitable[str]]:
    async def change() -> str:
        response = await asker.request(request, dict(secrets))
        said = response.body.decode(errors="replace")[:200]
        if response.status >= 300:
            raise OSError(f"status {response.status}: {said}")
        return said

    return change


def _answers(
    instances: Sequence[Instance], tier: str, secrets: Mapping[str, str], asker: Asker
) -> dict[str, dict[str, str]]:
    """Host to the files that hold the authority's answer, with the one on the certificate that comes."""
    name = tls.staple_of(tier)
    if name + mesh.NEXT not in secrets:
        return {}
    after = {**secrets, name: secrets[name + mesh.NEXT]}
    return {
        each.host: {
            path: with_secrets(file.text, after)
            for path, file in asker.lab.blueprint.process(each.name).files.items() if name in secrets_in([file.text])
        }
        for each in instances
    }


def _renewing(
    renewed: Mapping[str, str], path: str, answers: Mapping[str, Mapping[str, str]], asker: Asker
) -> Callable[[], Awaitable[str]]:
    """Says the fingerprints, in the order of the hosts.  The authority's answers come last: Envoy takes both up with them."""

    async def change() -> str:
        for host, pem in renewed.items():
            await asker.lab.write(host, path, f"{pem}\n", mode=0o600)
            for beside, text in answers.get(host, {}).items():
                await asker.lab.write(host, beside, text, mode=0o600)
        return " ".join(map(fingerprint, renewed.values()))

    return change


def fingerprint(pem: str) -> str:
    """SHA-256 of the first certificate in it."""
    found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.DOTALL)
    return sha256(ssl.PEM_cert_to_DER_cert(found[0])).hexdigest() if found else ""


def _waiting(asker: Asker, observer: Observer, topology: Topology) -> Callable[[str], Awaitable[None]]:
    """Asked directly: what the observer saw last may be older than the stop.  Then its balancers must send to it again, or the
    next one would stop while they do not."""

    async def in_service(process: str) -> None:
        instance = next(each for each in observer.instances if each.name == process)
        question = ENGINES[instance.engine].questions(instance, topology).service
        async with asyncio.timeout(SERVICE_LIMIT_S):
            while question and await asker.word(question) != "yes":  # noqa: ASYNC110 - another machine's state tells no event
                await asyncio.sleep(_LOOK_S)
            while not await in_rotation(instance, topology, asker):  # noqa: ASYNC110 - nor does a balancer's
                await asyncio.sleep(_LOOK_S)

    return in_service
