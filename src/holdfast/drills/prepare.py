"""From the probes that a user declared to probes that know whom to ask, in the lab at hand."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from holdfast.blueprint import Site
from holdfast.engines import tls
from holdfast.engines.routing import entries, served_by
from holdfast.errors import Problem
from holdfast.plan import reach
from holdfast.probes.http import http_probe
from holdfast.probes.ledger import Database, ledger_probe
from holdfast.probes.probe import Probe
from holdfast.probes.settings import Http, Ledger
from holdfast.quantities import shown_seconds
from holdfast.topology.model import Objectives, Topology

MEASURES: Mapping[str, tuple[type[Http | Ledger], str]] = {
    "write_outage": (Ledger, "orders: {ledger: DATABASE}"),
    "read_outage": (Http, 'pages: {http: "http://TIER/"}'),
}
"""Which probe measures an objective, and how to write one."""


class Known:
    """What clients know of the service now: where its tiers are, and the password of the database.

    Asked from every client's own thread; what was once looked up stays the same object until the next `adopt`.
    """

    def __init__(self, topology: Topology, site: Site, secrets: Mapping[str, str]):
        self.site = site
        self.adopt(topology, secrets)

    def adopt(self, topology: Topology, secrets: Mapping[str, str]) -> None:
        self.topology, self.secrets = topology, secrets
        self._databases: dict[tuple[str, str], Database] = {}
        self._reached: dict[str, tuple[str, ...]] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        reached = self._reached
        if name not in reached:
            reached[name] = reach(self.topology, self.site, name)
        return reached[name]

    def database(self, tier: str, through: str) -> Database:
        databases = self._databases
        if (tier, through) not in databases:
            databases[tier, through] = _database(tier, through, self.topology, self.site, self.secrets)
        return databases[tier, through]


def probes(
    topology: Topology, site: Site, secrets: Mapping[str, str], run: str, known: Known | None = None
) -> tuple[Probe, ...]:
    """`known` follows the service through planned changes; without it clients keep what they know at first."""
    made = []
    known = known or Known(topology, site, secrets)
    for name, declared in topology.probes.items():
        client = declared.client or next(iter(topology.clients))
        if isinstance(declared, Http):
            made.append(_http(name, declared, client, known))
        else:
            made.append(_ledger(name, declared, client, known, run))
    return tuple(made)


def objections(topology: Topology) -> tuple[Problem, ...]:
    """Probes that could not ask what they are meant to ask, and objectives that none of them measures.

    What names something that is not there is left out: `topology.check` tells of it.
    """
    found = [*_unmeasured((), topology.objectives, topology)] if topology.probes else []
    for index, drill in enumerate(topology.drills if topology.probes else ()):
        found += _unmeasured(("drills", index), drill.objectives, topology) if drill.objectives else []
    found += _no_crowd(topology)
    known = {*topology.tiers, *(place.name for place in topology.places)}
    known |= {str(vip) for tier in topology.tiers.values() for vip in tier.vips}
    for name, declared in topology.probes.items():
        if not known.issuperset(declared.tiers):
            continue
        if isinstance(declared, Ledger):
            found += _ledger_objections(name, declared, topology)
        elif urlsplit(declared.http).scheme == "https":
            if not _encrypting(topology, declared.tiers[0]):
                where = topology.located("probes", name, "http")
                found.append(Problem(f"nothing at {declared.tiers[0]} speaks https", where, "add `tls: {}` to it, or ask http"))
        elif not urlsplit(declared.http).port and port_of(topology, declared.tiers[0], "http") is None:
            what = f"nothing at {declared.tiers[0]} is known to speak http"
            where = topology.located("probes", name, "http")
            found.append(Problem(what, where, "name a tier that serves or routes http, or write the port: http://NAME:PORT/"))
    return tuple(found)


def _unmeasured(path: tuple[str | int, ...], objectives: Objectives, topology: Topology) -> list[Problem]:
    found = []
    for key, (kind, example) in MEASURES.items():
        limit_s = getattr(objectives, key)
        if limit_s is None:
            continue
        where = topology.located(*path, "objectives", key)
        beats_s = {name: probe.every for name, probe in topology.probes.items() if isinstance(probe, kind)}
        if not beats_s:
            found.append(Problem(f"no probe measures the objective {key}", where, f"add one, as in {example}, or remove it"))
        # No outage at all is a fair objective; half a beat is none that could be told from it.
        slow = [name for name, every_s in beats_s.items() if 0 < limit_s < every_s]
        if slow:
            what = f"the objective {key} of {shown_seconds(limit_s)} is shorter than the beat of the probe {slow[0]}"
            found.append(Problem(what, where, f"write {shown_seconds(beats_s[slow[0]])} or more, or ask more often"))
    return found


def _no_crowd(topology: Topology) -> Iterator[Problem]:
    """Goodput is what an overload measures, and nothing else."""
    if topology.objectives.goodput is not None and all(drilled.fault != "overload" for drilled in topology.drills):
        remedy = "add {fault: overload, tier: TIER, probe: PROBE} to the drills, or remove it"
        yield Problem("no drill measures the objective goodput", topology.located("objectives", "goodput"), remedy)
    for index, drilled in enumerate(topology.drills):
        if drilled.objectives and drilled.objectives.goodput is not None and drilled.fault != "overload":
            where = topology.located("drills", index, "objectives", "goodput")
            yield Problem(f"{drilled.fault} offers no load, so its goodput is not measured", where, "write it at an overload")


def _ledger_objections(name: str, declared: Ledger, topology: Topology) -> list[Problem]:
    where = topology.located("probes", name, "ledger")
    if declared.ledger not in topology.tiers or "postgres" not in served_by(declared.ledger, topology):
        return [Problem(f"{declared.ledger} is no database that the ledger can write to", where, "name a tier of patroni")]
    through = declared.through or declared.ledger
    ways = tiers_at(topology, through)
    if declared.ledger not in (*ways, *(topology.tiers[tier].routes.get("postgres") for tier in ways)):
        where = topology.located("probes", name, "through")
        remedy = f"add `postgres: {declared.ledger}` to its routes"
        return [Problem(f"{through} does not route postgres to {declared.ledger}", where, remedy)]
    return []


def tiers_at(topology: Topology, name: str) -> tuple[str, ...]:
    """The tier of this name or with this virtual IP, or those that have an instance on the host of this name."""
    if (tier := topology.borne_by(name) or name) in topology.tiers:
        return (tier,)
    return tuple(instance.tier for instance in topology.instances if instance.host == name)


def port_of(topology: Topology, name: str, protocol: str) -> int | None:
    """Where clients find this protocol at this tier, or at this host of one: a balancer's listener, or the instance's own port.

    Before `Site.port`.
    """
    for tier in tiers_at(topology, name):
        for entry in entries(tier, topology):
            if entry.protocol == protocol:
                return entry.port
        if served := served_by(tier, topology).get(protocol):
            return served.port
    return None


def _http(name: str, declared: Http, client: str, known: Known) -> Probe:
    parts = urlsplit(declared.http)
    tier = parts.hostname or ""
    encrypted = parts.scheme == "https"
    port = parts.port or (tls.PORT if encrypted else port_of(known.topology, tier, "http") or 80)
    return http_probe(
        name=name, url=declared.http, addresses=lambda: known.addresses(tier), port=known.site.port(port), client=client,
        every_s=declared.every, patience_s=declared.patience, expect=declared.expected,
        session=declared.session, trust=_certificates(known.topology, tier, known.secrets) if encrypted else "",
    )  # fmt: skip


def _encrypting(topology: Topology, name: str) -> str:
    """The tier of this name, or on the host of this name, that speaks https; "" where none does."""
    return next((tier for tier in tiers_at(topology, name) if tls.tls_of(tier, topology)), "")


def _certificates(topology: Topology, name: str, secrets: Mapping[str, str]) -> str:
    """Those of the tier's bundle, without its key, and of the one that may take its place."""
    tier = _encrypting(topology, name)
    bundles = secrets[tls.secret_of(tier)] + "\n" + secrets.get(tls.next_secret_of(tier), "")
    return "\n".join(re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", bundles, re.DOTALL))


def _ledger(name: str, declared: Ledger, client: str, known: Known, run: str) -> Probe:
    through = declared.through or declared.ledger
    return ledger_probe(
        name=name, tier=declared.ledger, through=through, database=lambda: known.database(declared.ledger, through), run=run,
        client=client, every_s=declared.every, patience_s=declared.patience,
    )  # fmt: skip


def _database(tier: str, through: str, topology: Topology, site: Site, secrets: Mapping[str, str]) -> Database:
    settings = topology.tiers[tier].settings
    port, node_port = port_of(topology, through, "postgres"), port_of(topology, tier, "postgres")
    assert port is not None, "objections() refuses a ledger through what does not route postgres"
    assert node_port is not None, "objections() refuses a ledger on what does not speak postgres"
    return Database(
        direct=through == tier, through=reach(topology, site, through), port=site.port(port), node_port=site.port(node_port),
        nodes={instance.host: site.address(instance.host, instance.address) for instance in topology.instances_of(tier)},
        database=settings.database, user=settings.user, password=secrets[f"{tier}-app"],
    )  # fmt: skip
