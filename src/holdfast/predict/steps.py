"""The steps of a chain: those of an engine by their names, and those that belong to no engine: clients, and the fault itself."""

from collections.abc import Sequence
from math import inf

from holdfast.engines import mesh
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Delay
from holdfast.predict.path import Path
from holdfast.predict.strike import Nature, Strike
from holdfast.topology.model import Topology

NOISE_S = 0.2
"""What two busy cores do to any program (`report.words.NOTABLE_GAP_S` has the same reason)."""
BOOT_S = 0.2
"""A host of a lab, until its network answers; a machine needs minutes, so that this step does not transfer."""
SESSION_S = 0.2
"""A session with a database takes a connection, five messages of scram-sha-256 (RFC 5802) and a backend's fork."""


def of(tier: str, topology: Topology, *wanted: str) -> tuple[Delay, ...]:
    """The delays of these steps in the order asked for; those that the engine has not are left out."""
    if tier not in topology.tiers:
        return ()
    known = {delay.step: delay for delay in ENGINES[topology.tiers[tier].engine].delays(tier, topology)}
    return tuple(known[step] for step in wanted if step in known)


def promised(tier: str, topology: Topology) -> bool:
    """False for a tier with a config of the user's own, of which we know no number."""
    return tier in topology.tiers and bool(ENGINES[topology.tiers[tier].engine].delays(tier, topology))


def asker(tier: str, path: Path, topology: Topology) -> str:
    """The balancer through which this tier is asked on this path, else the sidecars of those that call it, or ""."""
    if tier == path.first:
        return ""
    named = (path.entry, *topology.users_of(tier))
    routing = next((each for each in named if each and tier in topology.tiers[each].routes.values()), "")
    calling = topology.users_of(tier)
    return routing or (mesh.sidecar_of(calling[0]) if calling and all(_in_time(each, tier, topology) for each in calling) else "")


def _in_time(caller: str, tier: str, topology: Topology) -> bool:
    """Whether the caller's sidecars ask a second instance, and the program still waits for its answer."""
    uses = topology.tiers[caller].uses.get(tier)
    if uses is None or tier not in mesh.towards(caller, topology) or not uses.retries:
        return False
    return all(2 * each.high_s < uses.timeout for each in of(mesh.sidecar_of(caller), topology, "ask_elsewhere"))


def nature_to_others(strike: Strike) -> Nature | None:
    """No connection comes about with a host of which one direction is lost."""
    return "silent" if strike.fault == "one_way" else strike.nature


def next_address(path: Path, addresses: int, silent: int) -> Delay:
    """A client of several addresses tries them in order; a silent one costs its share of the patience."""
    share_s = path.patience_s / max(1, addresses)
    return Delay(
        step="client", name="the client tries its next address", low_s=0.0, high_s=share_s * silent,
        setting=f"probes.{path.probe}.patience", source="the probe: its patience, shared among the addresses",
    )


def ejected(asker: str, tier: str, path: Path, strike: Strike, topology: Topology) -> tuple[Delay, ...]:
    """A balancer leaves alone who failed so often in a row; nobody but the probe need ask, and it asks each in turn."""
    uses = topology.tiers[asker].uses.get(tier) if asker else None
    if uses is None or uses.ejection is None:
        return ()
    turns, again = topology.tiers[tier].replicas * path.every_s, 1 + int(strike.hold_s / uses.ejection.duration)
    return (Delay(
        step="client", name="an instance that keeps failing is ejected", low_s=0.0,
        high_s=uses.ejection.failures * turns * again, setting=f"tiers.{asker}.uses.{tier}.ejection",
        source="failures in a row, of a probe that meets each instance in its turn",
    ),)  # fmt: skip


def booting() -> tuple[Delay, ...]:
    """Until who was connected with it hears that it has forgotten the connection."""
    return (
        Delay(step="start", name="the host boots", low_s=0.0, high_s=BOOT_S, kind="work", source="measured, of a host of a lab"),
        Delay(step="client", name="what it did not confirm is sent again", low_s=0.0, high_s=BOOT_S + 0.2, kind="work",
              source="RFC 6298, 5.5: each wait is twice the last, so that no more passes than did already; the first is 200 ms"),
    )  # fmt: skip


def starved(strike: Strike) -> tuple[Delay, ...]:
    """Who runs for a moment of each period may need a moment each to receive, to write, to flush and to answer."""
    period_s = getattr(strike.settings, "period", 0.0) or inf
    return (Delay(
        step="client", name="it receives, writes, flushes and answers in four of its moments", low_s=0.0, high_s=4 * period_s,
        setting="period", source="the drill",
    ),)  # fmt: skip


def lasting(strike: Strike) -> Delay:
    return Delay(
        step="lasts", name="nobody is left to serve, as long as the fault lasts", low_s=strike.lasts_s, high_s=strike.lasts_s,
        setting="for" if strike.lasts_s < inf else "", source="the drill",
    )


def seen_by(path: Path, chain: Sequence[Delay] = ()) -> tuple[Delay, ...]:
    """What every measurement adds.  What is slow because processors are busy is counted once: work that was measured has it."""
    busy = sum(step.high_s - step.low_s for step in chain if step.kind == "work") < NOISE_S
    session = Delay(
        step="seen", name="a new session with the database", low_s=0.0, high_s=SESSION_S, kind="work", source="measured",
    )  # fmt: skip
    noise = Delay(step="seen", name="busy processors answer late", low_s=0.0, high_s=NOISE_S, kind="work", source="measured")
    return (
        *((session,) if path.writes else ()),
        Delay(step="seen", name="the next question of the probe", low_s=0.0, high_s=path.every_s,
              setting=f"probes.{path.probe}.every", source="the probe"),
        *((noise,) if busy else ()),
    )  # fmt: skip
