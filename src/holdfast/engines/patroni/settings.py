"""What a user may say about a Patroni tier, and what of it makes no sense.  Defaults are the fastest that Patroni allows."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from holdfast.engines.shared import objection
from holdfast.errors import Problem
from holdfast.quantities import Duration, written_seconds
from holdfast.topology.model import Declared, Topology

# Patroni silently raises smaller values to these (patroni/config.py, "minimal values").
FLOORS_S: Mapping[str, float] = {"ttl": 20.0, "loop_wait": 1.0, "retry_timeout": 3.0}

# Parameters that settings decide, and which one.
OWN: Mapping[str, str] = {
    "max_connections": "`max_connections:` of the tier", "wal_sender_timeout": "`standby_timeout:` of the tier",
    "password_encryption": "scram-sha-256, as it is", "unix_socket_directories": "what it is",
    "synchronous_standby_names": "`synchronous:` of the tier",
}

Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


def _printable(parameters: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in parameters.items():
        if not name.replace("_", "").replace(".", "").isalnum():
            raise ValueError(f"{name!r} is not the name of a PostgreSQL parameter")
        if name in OWN:
            raise ValueError(f"{name} is set by holdfast, whose promises rest on it; use {OWN[name]}")
        if not value.isprintable():
            raise ValueError(f"the value of {name} must be one printable line")
    return parameters


class Settings(Declared):
    consensus: str
    """The tier of etcd whose majority decides who leads."""
    synchronous: Annotated[int, Field(ge=0)] = 0
    """How many standbys must have a commit before the client hears of it."""
    ttl: Duration = 20.0
    """How long the primary's lease in etcd lasts: about what it takes to replace a dead host."""
    loop_wait: Duration = 1.0
    """How often Patroni looks, and renews the lease."""
    retry_timeout: Duration = 3.0
    """How long etcd and PostgreSQL are tried again before Patroni gives up."""
    failsafe: bool = True
    """A primary that loses etcd stays one while all its standbys confirm it."""
    primary_start_timeout: Duration = 0.0
    """How long a primary that crashed may start again before a standby takes over; 0: not at all."""
    database: Identifier = "app"
    """The application's database."""
    user: Identifier = "app"
    """The application's user, owner of the database."""
    standby_timeout: Annotated[Duration, Field(ge=1)] = 3.0
    """How long a silent standby may hold commits back: PostgreSQL's wal_sender_timeout."""
    max_connections: Annotated[int, Field(ge=10, le=10000)] = 200
    """Of each node."""
    parameters: Annotated[Mapping[str, str], AfterValidator(_printable)] = {}
    """PostgreSQL parameters, over those of holdfast."""


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    declared = topology.tiers[tier]
    settings: Settings = declared.settings
    found = [*_timer_objections(tier, topology, settings)]

    def object_to(key: str, what: str, remedy: str) -> None:
        found.append(objection(topology, tier, key, what, remedy))

    consensus = topology.tiers.get(settings.consensus)
    if consensus is None:
        known = [name for name, other in topology.tiers.items() if other.engine == "etcd"]
        object_to("consensus", f"there is no tier {settings.consensus!r}",
                  f"name one of {', '.join(known)}" if known else "add a tier `etcd: {engine: etcd, replicas: 3}`")
    elif consensus.engine != "etcd":
        object_to("consensus", f"the tier {settings.consensus} runs {consensus.engine}, which is no store for Patroni",
                  "name a tier of etcd")
    if declared.replicas == 1:
        object_to("replicas", "a database with one replica has no standby to fail over to", "use 2 replicas or more")
    if settings.synchronous and settings.synchronous >= declared.replicas:
        object_to("synchronous", f"{settings.synchronous} synchronous standbys do not exist among {declared.replicas} replicas",
                  f"use {declared.replicas - 1} at most" if declared.replicas > 1 else "remove it, or add replicas")
    if settings.user == "postgres" or settings.user in ("replicator", "rewinder"):
        object_to("user", f"{settings.user} is a user of the database's own", "choose another name for the application's user")
    if settings.database in ("postgres", "template0", "template1"):
        object_to("database", f"{settings.database} is PostgreSQL's own database", "choose another name, such as app")
    return tuple(found)


def _timer_objections(tier: str, topology: Topology, settings: Settings) -> list[Problem]:
    found: list[Problem] = []
    for name, floor_s in FLOORS_S.items():
        value_s: float = getattr(settings, name)
        if value_s < floor_s:
            found.append(objection(
                topology, tier, name,
                f"Patroni raises {name} to {written_seconds(floor_s)}: {written_seconds(value_s)} would be an empty promise",
                f"use {written_seconds(floor_s)} or more",
            ))
        if value_s != int(value_s):
            found.append(objection(topology, tier, name, f"Patroni counts {name} in whole seconds", f"use {int(value_s) + 1}s"))
    needed_s = settings.loop_wait + 2 * settings.retry_timeout
    if settings.ttl < needed_s:
        found.append(objection(
            topology, tier, "ttl",
            f"ttl {written_seconds(settings.ttl)} is less than loop_wait + 2 * retry_timeout, {written_seconds(needed_s)}: "
            "a healthy primary could lose its lease while it still retries",
            f"use {written_seconds(max(needed_s, FLOORS_S['ttl']))}",
        ))
    return found
