"""A database whose primary holds a lease in a consensus store: which steps pass until writes go on.

| strike | chain |
|---|---|
| the primary's program refuses | turn, promote, in; where a crashed primary may start again, or is alone: turn, recover, in |
| it dies again and again, or its disk cannot be written | perhaps as silent: nobody lives to give the lease back |
| the primary falls silent | lease, revoke, poll, promote, in |
| the same, with the store's leader | election, elected, lease (begun anew, and an election longer), revoke, poll, promote, in |
| the primary hands over | handover, shutdown, promote, in |
| all fall silent, or the primary and so many standbys that no synchronous one need be left | as long as the fault |
| the primary's clock goes back, when struck or when mended, by more than its lease can bear | perhaps promote, in |
| a synchronous standby refuses, or falls silent | turn, or sync_given_up: commits wait for another one |
| a synchronous standby reboots | boot, what it is sent again, turn |
| its disk is full, or cannot be written | turn; election, elected, turn where the store's leader writes to the same disk |
| it gets little of the processor | four of the moments in which it does |
| the store has no majority | nothing where standbys can vouch for the primary (failsafe); else no writes as long as it lasts |

A Patroni whose clock went back sleeps until that hour comes again, and its PostgreSQL goes on: the loss of the lease wakes it and
its standbys at once, so that no turn of a loop passes (patroni/__main__.py: schedule_next_run; dcs/etcd3.py: KVCache).

A new leader of etcd refreshes every lease, and adds its election timeout (etcd, lease/lessor.go: Promote), so that a lease lives
longer when the store's leader is lost together with the holder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from holdfast.engines.engine import Delay
from holdfast.predict import steps
from holdfast.predict.part import LASTS, NO_TIMER, UNHARMED, Part, When
from holdfast.predict.path import Path
from holdfast.predict.strike import AGAIN_AND_AGAIN, Hit, Strike, dependency
from holdfast.topology.model import Topology

BOOTS = "a machine boots for longer than a host of a lab: there its standby_timeout decides"
CROSSINGS = 12
"""How often a packet crosses the network for a session, a write and its confirmation by a standby, at the most."""


def parts(tier: str, path: Path, strike: Strike, struck: Mapping[str, Hit], topology: Topology) -> tuple[Part, ...]:
    settings = topology.tiers[tier].settings
    store_hit = struck.get(settings.consensus)
    hit = struck.get(tier)
    asker = steps.asker(tier, path, topology)
    back = steps.of(asker, topology, "in")
    if not asker and tier == path.first and hit and strike.nature in ("silent", "cut"):
        back = (steps.next_address(path, hit.of, hit.count),)
    if store_hit and 2 * (store_hit.of - store_hit.count) <= store_hit.of:
        if strike.nature in _ENDS or (strike.nature == "cut" and not dependency(strike) and hit is None):
            return (_no_majority(tier, strike, settings, topology, everyone=bool(hit and hit.everyone)),)
        if strike.nature == "slow" and hit is None:
            return (Part(unknown=True, reason=NO_TIMER),)
    if hit is None:
        return (_other_leader(strike, settings, topology),)
    return tuple(_by_nature(tier, path, strike, hit, topology, back, settings, beside=store_hit is not None))


HANDOVER = ("handover", "shutdown", "promote")
"""A standby is woken by the lease that is given back: no turn of its loop passes (Patroni, dcs/etcd3.py: KVCache)."""
_ENDS = ("silent", "refuses", "no space")
"""etcd ends when it cannot write its log (etcd, server/etcdserver/raft.go: Save, and then Fatal)."""


def _other_leader(strike: Strike, settings: Any, topology: Topology) -> Part:
    """Fewer than half of the store: the others elect a leader, and a lease outlives that; a primary without failsafe must hear
    of the new leader before it gives up.
    """
    election = steps.of(settings.consensus, topology, "election", "elected")
    if settings.failsafe or strike.nature not in _ENDS or sum(each.high_s for each in election) < settings.retry_timeout:
        return UNHARMED
    return Part(chain=election, reason="it may give up before the store has a new leader: raise retry_timeout")


def _by_nature(
    tier: str, path: Path, strike: Strike, hit: Hit, topology: Topology, back: tuple[Delay, ...], settings: Any, *, beside: bool
) -> Iterator[Part]:
    """Who is struck decides: the primary, a standby that confirms commits, or another one."""
    primary = [] if hit.role == "no" else [*_primary(tier, strike, hit, topology, back, settings, beside=beside)] or [UNHARMED]
    if hit.role == "certainly":
        yield from (replace(part, store=settings.consensus) for part in primary)
        return
    standby = _standby(tier, path, strike, settings, topology)
    others = [standby]
    if standby != UNHARMED:
        confirming: When = {"confirms": True}
        others = [replace(standby, when=confirming), replace(UNHARMED, when={"confirms": False})]
        if strike.nature == "no space" and beside:  # whoever leads the store writes to the same disk, and a turn waits for it
            first = steps.of(settings.consensus, topology, "election", "elected")
            led = replace(standby, chain=(*first, *standby.chain), when={**confirming, "leader": True})
            others[:1] = [led, replace(standby, when={**confirming, "leader": False})]
    if all(part == UNHARMED for part in (*primary, *others)):
        return
    for number, part in enumerate((*primary, *others)):
        itself: When = {} if hit.role == "no" else {"primary": number < len(primary)}
        yield replace(part, when={**itself, **part.when}, store=settings.consensus)


def _primary(
    tier: str, strike: Strike, hit: Hit, topology: Topology, back: tuple[Delay, ...], settings: Any, *, beside: bool
) -> Iterator[Part]:
    """It is among the struck."""
    nature = strike.nature
    if why := _nobody(strike, hit, settings):
        chain = (steps.lasting(strike), *steps.of(tier, topology, "turn", "recover"), *back)
        yield Part(chain=chain, certain=hit.everyone, reason=why)
    elif strike.fault in AGAIN_AND_AGAIN or strike.fault == "disk_read_only":
        yield from _silent(tier, strike, topology, back, settings, certain=False, beside=beside)
    elif strike.fault == "clock_skew":
        if strike.settings is not None and strike.settings.by > settings.ttl - 2 * settings.loop_wait:
            yield Part(chain=(*steps.of(tier, topology, "promote"), *back), certain=False)
    elif strike.fault == "scale_in":
        yield Part(chain=(*steps.of(tier, topology, *HANDOVER), *back))
    elif nature == "refuses":
        again: tuple[str, ...] = ("recover",) if settings.primary_start_timeout or hit.of == 1 else ("promote",)
        if hit.count > 1:  # whoever could take over may be starting as well (Patroni, ha.py: is_failover_possible)
            again = ("recover", "promote")
        yield Part(chain=(*steps.of(tier, topology, "turn", *again), *back), certain=hit.count == 1)
    elif nature == "silent":
        yield from _silent(tier, strike, topology, back, settings, certain=True, beside=beside)
    elif nature == "hands over":
        yield Part(chain=(*steps.of(tier, topology, *HANDOVER), *back), certain=True)
    elif nature == "cut":
        yield from _cut(tier, strike, topology, back, settings, beside=beside)
    elif nature == "slow":
        yield _slow(strike)
    elif nature == "no space":
        yield Part(chain=(steps.lasting(strike),), reason="a primary that cannot write does not hand over by itself")
    elif nature == "in turn":
        chain = steps.of(tier, topology, *HANDOVER)
        yield Part(chain=(*chain, *back) * (1 if hit.everyone else hit.count))


def _nobody(strike: Strike, hit: Hit, settings: Any) -> str:
    """Why no standby can take over, or "".

    With synchronous standbys only those that confirm commits may be promoted (Patroni, ha.py: is_healthiest_node; /sync).
    """
    lost = strike.nature in ("silent", "no space") or strike.fault in AGAIN_AND_AGAIN
    if not lost:
        return ""
    if hit.everyone:
        return LASTS
    if settings.synchronous and hit.count > settings.synchronous:
        return "the standbys that have every commit may be lost with the primary, and no other one may take over"
    return ""


def _silent(
    tier: str, strike: Strike, topology: Topology, back: tuple[Delay, ...], settings: Any, *, certain: bool, beside: bool
) -> Iterator[Part]:
    lease, *rest = steps.of(tier, topology, "lease", "revoke", "poll", "promote")
    after = (*rest, *back)
    if not beside:
        yield Part(chain=(lease, *after), certain=certain)
        return
    store = settings.consensus
    election, *elected = steps.of(store, topology, "election", "elected")
    anew = replace(
        lease, name="lease of a silent primary, begun anew by the store's new leader", low_s=lease.high_s + election.low_s,
        high_s=lease.high_s + election.high_s / 2 + 0.1, setting="ttl, election_timeout",
        source="etcd, lease/lessor.go: Promote refreshes all leases and adds the election timeout",
    )
    yield Part(chain=(election, *elected, anew, *after), certain=certain, when={"leader": True})
    yield Part(chain=(lease, *after), certain=certain, when={"leader": False})


def _standby(tier: str, path: Path, strike: Strike, settings: Any, topology: Topology) -> Part:
    """One that confirms commits: they wait until another one does."""
    if not settings.synchronous:
        return UNHARMED
    if strike.nature in ("refuses", "in turn", "no space") or strike.fault == "scale_in":
        return Part(chain=steps.of(tier, topology, "turn"))  # who cannot write what it is sent hangs up at once
    if strike.fault == "reboot":  # a host that is back refuses what it no longer knows
        return Part(chain=(*steps.booting(), *steps.of(tier, topology, "turn")), reason=BOOTS)
    given_up = steps.of(tier, topology, "sync_given_up")
    if strike.nature == "silent" and path.writes:  # who writes is confirmed at every beat
        age_s = min(settings.standby_timeout / 2, 2 * path.every_s)
        return Part(chain=tuple(replace(each, low_s=settings.standby_timeout - age_s) for each in given_up), certain=True)
    if strike.nature in ("silent", "cut"):
        return Part(chain=tuple(replace(each, low_s=0.0) for each in given_up))
    if strike.fault == "cpu_starve":
        windows = steps.starved(strike)
        return Part(chain=windows if sum(each.high_s for each in windows) < settings.standby_timeout else given_up)
    return _slow(strike) if strike.nature == "slow" else UNHARMED


def _cut(
    tier: str, strike: Strike, topology: Topology, back: tuple[Delay, ...], settings: Any, *, beside: bool
) -> Iterator[Part]:
    only_ports = bool(getattr(strike.settings, "ports", ())) or strike.fault == "dependency_down"
    if dependency(strike) == settings.consensus and (only_ports or not beside):
        if settings.failsafe:
            yield replace(UNHARMED, reason="its standbys vouch for it (failsafe)")
            return
        step_down, lease, *rest = steps.of(tier, topology, "retry_store", "lease", "revoke", "promote")
        left = replace(
            lease, name="what is left of its lease expires", low_s=max(0.0, lease.low_s - step_down.high_s),
            high_s=lease.high_s - step_down.low_s,
        )
        yield Part(chain=(left, *rest, *back), certain=True)
        return
    yield from _silent(tier, strike, topology, back, settings, certain=False, beside=beside)


def _slow(strike: Strike) -> Part:
    """A delay that every time limit on the way can bear costs its crossings; of anything else no setting tells."""
    late_s = getattr(strike.settings, "delay", 0.0) + getattr(strike.settings, "jitter", 0.0)
    if strike.fault != "delay" or CROSSINGS * late_s > 1.0:
        return Part(unknown=True, reason=NO_TIMER)
    crossed = Delay(
        step="client", name=f"{CROSSINGS} crossings of a network that delays", low_s=0.0, high_s=CROSSINGS * late_s,
        setting="delay, jitter", source="the drill",
    )
    return Part(chain=(crossed,))


def _no_majority(tier: str, strike: Strike, settings: Any, topology: Topology, *, everyone: bool) -> Part:
    if settings.failsafe and not everyone:
        return replace(UNHARMED, reason="its standbys vouch for it (failsafe)")
    if strike.nature == "refuses" and strike.fault not in AGAIN_AND_AGAIN:
        restarted = steps.of(settings.consensus, topology, "election", "elected")
        return Part(chain=(*restarted, *steps.of(tier, topology, "turn", "recover")), certain=False)
    return Part(chain=(steps.lasting(strike),), certain=everyone, reason=LASTS)
