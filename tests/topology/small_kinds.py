"""A small catalogue to read topologies with: engines, probes and faults that have just enough settings to be wrong about."""

from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from holdfast.errors import Problem, Refused
from holdfast.quantities import Duration, Size
from holdfast.topology.check import check
from holdfast.topology.load import Kinds, load
from holdfast.topology.model import Declared, Topology


class Balancer(Declared):
    """Spreads requests."""

    check_interval: Duration = 0.5
    """How often each server is asked."""
    mode: Literal["http", "tcp"] = "http"


class VirtualIp(Declared):
    advert_interval: Duration = 0.1


class Command(Declared):
    run: str
    """The command line."""
    port: int = Field(default=8080, ge=1, le=65535)
    health: str | None = None


class Limits(Declared):
    memory: Size = 64 * 2**20
    files: int | str = 100


class Database(Declared):
    synchronous: int = 1
    consensus: str | None = None
    limits: Limits = Limits()


class Consensus(Declared):
    election: Duration = 1.0


class Pages(Declared):
    """Asks for a page."""

    model_config = ConfigDict(populate_by_name=True)

    http: str
    client: str = Field(default="client", alias="from")
    every: Duration = 0.05

    @property
    def tiers(self) -> tuple[str, ...]:
        return (self.http.removeprefix("http://").split("/")[0],)


class Ledger(Declared):
    model_config = ConfigDict(populate_by_name=True)

    ledger: str
    through: str
    client: str = Field(default="client", alias="from")
    every: Duration = 0.02

    @property
    def tiers(self) -> tuple[str, ...]:
        return (self.ledger, self.through)


class Nothing(Declared):
    """A fault without settings of its own."""


KINDS = Kinds(
    engines={"haproxy": Balancer, "keepalived": VirtualIp, "command": Command, "patroni": Database, "etcd": Consensus},
    probes={"http": Pages, "ledger": Ledger},
    faults={"kill": Nothing, "freeze": Nothing, "power_cut": Nothing},
    protocols=frozenset({"http", "postgres"}),
)

SHOP = """\
service: shop
objectives: {availability: 99.95%, write_outage: 30s, lost_writes: 0}
network: 10.0.1.0/24
zones: [a, b, c]
clients: {client: {zone: a}}
tiers:
  entry:
    engine: haproxy
    replicas: 2
    vip: 10.0.1.100
    routes: {http: web, postgres: db}
  web: {engine: command, replicas: 3, run: python3 app.py, uses: {db: {timeout: 2s, retries: 1}}}
  db: {engine: patroni, replicas: 3, synchronous: 1, consensus: etcd}
  etcd: {engine: etcd, on: db}
probes:
  pages: {http: "http://entry/", from: client, every: 50ms}
  orders: {ledger: db, through: entry, from: client, every: 20ms}
drills:
  - {fault: freeze, target: primary, for: 10s}
"""


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "topology.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    return file


def loaded(folder: Path, text: str = SHOP, kinds: Kinds = KINDS) -> Topology:
    return load(written(folder, text), kinds)


def problems(folder: Path, text: str | bytes, kinds: Kinds = KINDS) -> tuple[Problem, ...]:
    """What load refuses, or else what check finds."""
    try:
        topology = load(written(folder, text), kinds)
    except Refused as refused:
        return tuple(refused.problems)
    return check(topology)


def told(folder: Path, text: str | bytes, kinds: Kinds = KINDS) -> list[str]:
    """`line:column what`, in order; every problem must have a place and a remedy."""
    found = problems(folder, text, kinds)
    assert all(problem.where and problem.remedy and problem.what for problem in found), found
    return [f"{':'.join(problem.where.split(':')[-2:])} {problem.what}" for problem in found]


def changed(*changes: tuple[str, str]) -> str:
    """The shop with each first text replaced by the second."""
    text: Any = SHOP
    for old, new in changes:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    return text
