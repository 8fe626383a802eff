"""Patroni: PostgreSQL with a primary, standbys, and an election in etcd.

    db: {engine: patroni, replicas: 3, synchronous: 1, consensus: etcd}
    db: {engine: patroni, replicas: 2, consensus: etcd, ttl: 30s, loop_wait: 5s, retry_timeout: 5s, failsafe: false,
         database: shop, user: shop, max_connections: 300, parameters: {work_mem: 16MB}}
"""

from collections.abc import Mapping

from holdfast.blueprint import Need, Process, Restart, Site
from holdfast.engines.engine import Served
from holdfast.engines.etcd import CLIENT_PORT
from holdfast.engines.patroni.ask import actions, delays, questions
from holdfast.engines.patroni.render import (
    ENVIRONMENT,
    FILE,
    HOME,
    POSTGRES_PORT,
    REST_PORT,
    SOCKETS,
    data_directory,
    files,
)
from holdfast.engines.patroni.settings import Settings, objections
from holdfast.topology.model import Instance, Topology

__all__ = [
    "BESIDE_CONFIG", "FILE", "POSTGRES_PORT", "PROGRAMS", "ROUTES", "SERVES", "Settings",
    "actions", "delays", "files", "objections", "ports", "process", "questions", "served",
]

PROGRAMS = ("patroni", "postgres")
SERVES = ("postgres",)
BESIDE_CONFIG = ("consensus", "synchronous", "database", "user")
ROUTES: tuple[str, ...] = ()

# The verifier also connects to every etcd member, which says nothing about the file: members that do not run yet are
# no mistake in it.  Everything else that it prints is.
_VERIFY = """\
found=$("$1" --validate-config --ignore-listen-port "$2" 2>&1) && exit 0
left=$(printf '%s\\n' "$found" | grep -vE '^etcd3\\.hosts.* is not reachable$')
[ -z "$left" ] || { printf '%s\\n' "$left"; exit 1; }"""


def process(instance: Instance, topology: Topology, site: Site) -> Process:
    settings: Settings = topology.tiers[instance.tier].settings
    host = instance.host
    data = data_directory(site)
    program = site.program("patroni").path
    stores = topology.instances_of(settings.consensus)
    store = next((store for store in stores if store.host == host), stores[0])
    sockets = {} if site.shares_network else {SOCKETS: 0o2775}
    return Process(
        name=instance.name,
        host=host,
        argv=(program, site.path(host, FILE)),
        files=files(instance, topology, site),
        directories={HOME: 0o755, data.removesuffix("/main"): 0o755, **sockets},
        environment_file=ENVIRONMENT,
        user="postgres",
        check=("sh", "-c", _VERIFY, "verify", program, site.path(host, FILE)),
        restart=Restart(delay_s=0.1),
        needs=(Need(address=site.address(store.host, store.address), port=site.port(CLIENT_PORT), path="/health"),),
        inner={"postgres": f"{data}/postmaster.pid"},
    )


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    return (POSTGRES_PORT, REST_PORT)


def served(tier: str, topology: Topology) -> Mapping[str, Served]:
    """`/primary` is the only path that no replica answers with 200; `/health` would send writes to all of them.

    `/replica` is that of running standbys, and of no primary (Patroni documentation, REST API); `/read-only` would be all of
    them, so that reads would burden the primary while there are replicas.
    """
    return {
        "postgres": Served(protocol="postgres", port=POSTGRES_PORT, check_port=REST_PORT, check_path="/primary"),
        "postgres_read": Served(protocol="postgres_read", port=POSTGRES_PORT, check_port=REST_PORT, check_path="/replica"),
    }
