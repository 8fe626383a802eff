"""From the instances that were drawn to the target that a fault is given."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256

from holdfast.blueprint import Site
from holdfast.drills.asking import Asker
from holdfast.drills.drill import Drill
from holdfast.drills.observe import Observer
from holdfast.drills.offering import offering
from holdfast.drills.rereading import rereading
from holdfast.drills.rotation import in_rotation
from holdfast.engines import tls
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
    elif renewed := secrets.get(tls.next_secret_of(drill.tier)) if actions.certificate else None:
        change = _renewing(hosts, actions.certificate, renewed, asker)
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
            name: tuple(site.port(port) for port in ENGINES[tier.engine].ports(name, topology))
            for name, tier in topology.tiers.items()
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


def _renewing(hosts: Sequence[str], path: str, renewed: str, asker: Asker) -> Callable[[], Awaitable[str]]:
    async def change() -> str:
        for host in hosts:
            await asker.lab.write(host, path, f"{renewed}\n", mode=0o600)
        return fingerprint(renewed)

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
