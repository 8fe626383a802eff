"""What a planned change of the service costs: by what differs between the two versions of it.

| what differs | chain |
|---|---|
| a balancer's settings, servers or routes | nothing: it reloads, and old connections are carried to their end |
| a program of several instances behind a balancer | nothing: one after the other, each back in rotation before the next |
| a program's only instance | restart, start; there and back |
| a database | perhaps the primary hands over before it restarts: handover, shutdown, promote, in; there and back |
| the password of a database's user | sessions go on; whoever connects before it was told is refused, and asks again |

Changes are rolled out and rolled back, and clients are watched on both ways (docs/changes.md).
"""

from dataclasses import replace

from holdfast.engines.engine import Delay
from holdfast.predict import steps
from holdfast.predict.leased import HANDOVER
from holdfast.predict.part import OWN_CONFIG, UNHARMED, Part
from holdfast.predict.path import Path
from holdfast.predict.strike import Strike
from holdfast.topology.model import Topology

FAULTS = ("config_change", "password_change")
UNREAD = "what it costs depends on what is changed, and that file was not read"
CONNECTS = "a program that must connect anew before it is restarted is refused, and what it does then is its own matter"
THERE_AND_BACK = 2
TOLD_S = 0.3
"""From the role's new password to the client's: a psql that ends, and a message."""


def parts(path: Path, strike: Strike, topology: Topology) -> tuple[Part, ...]:
    """At least one."""
    if strike.fault == "password_change":
        return _password(path, strike, topology)
    after = topology.later.get(getattr(strike.settings, "to", ""))
    if after is None:
        return (Part(unknown=True, reason=UNREAD),)
    on_path = [tier for tier in dict.fromkeys((path.entry, path.serves, *path.needs)) if tier in topology.tiers]
    differ = [tier for tier in on_path if after.tiers.get(tier) != topology.tiers[tier]]
    return tuple(_changed(tier, path, topology) for tier in differ) or (UNHARMED,)


def _changed(tier: str, path: Path, topology: Topology) -> Part:
    asker = steps.asker(tier, path, topology)
    if not steps.promised(tier, topology):
        return Part(unknown=True, reason=f"{tier}: {OWN_CONFIG}")
    if steps.of(tier, topology, "lease"):
        once = (*steps.of(tier, topology, *HANDOVER), *steps.of(asker, topology, "in"))
        return Part(chain=once * THERE_AND_BACK)
    if topology.tiers[tier].routes or topology.tiers[tier].replicas > 1 and (asker or tier == path.first):
        return UNHARMED
    return Part(chain=steps.of(tier, topology, "restart", "start") * THERE_AND_BACK)


def _password(path: Path, strike: Strike, topology: Topology) -> tuple[Part, ...]:
    told = Delay(
        step="client", name="who connects before it was told the new password is refused", low_s=0.0, high_s=TOLD_S, kind="work",
        source="PostgreSQL, ALTER ROLE: sessions stay open; docs/changes.md: the order of the steps",
    )  # fmt: skip
    if path.serves == strike.tier:
        return (Part(chain=(told,) * THERE_AND_BACK),)
    if strike.tier in path.needs:
        return (Part(unknown=True, reason=CONNECTS),)
    users = [tier for tier in (path.serves, *path.needs) if strike.tier in topology.tiers[tier].uses]
    return tuple(replace(_changed(tier, path, topology), certain=False) for tier in users) or (UNHARMED,)
