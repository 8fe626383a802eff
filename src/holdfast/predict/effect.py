"""What a strike does to each tier on a path: which steps pass until it serves again.

Three kinds of tier are known by what their engines can do: one with a lease (a database with a primary and standbys), one that
routes (a balancer, alone, with equal ones, or behind a virtual IP), and any other (equal instances, each as good as the next).
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.engines.engine import Delay
from holdfast.predict import leased, steps
from holdfast.predict.part import LASTS, NO_TIMER, OWN_CONFIG, UNHARMED, Part
from holdfast.predict.path import Path
from holdfast.predict.strike import OF_PROCESS, Hit, Strike, hits
from holdfast.topology.model import Topology


def parts(path: Path, strike: Strike, topology: Topology) -> tuple[Part, ...]:
    """At least one."""
    if strike.nature is None:
        return (Part(unknown=True, reason=f"what {strike.fault} does depends on the program"),)
    struck = hits(strike, topology)
    tiers = [tier for tier in (path.entry, path.serves, *path.needs) if tier]
    found = [part for tier in tiers for part in _of_tier(tier, path, strike, struck, topology)]
    found += [_missed(tier, path, topology) for tier in path.misses if tier in struck and strike.nature != "unharmed"]
    return tuple(found) or (UNHARMED,)


def _missed(tier: str, path: Path, topology: Topology) -> Part:
    waits = Delay(
        step="client", name=f"the program waits for {tier}, then does without", low_s=0.0, high_s=path.misses[tier],
        setting=f"tiers.{path.serves}.uses.{tier}.timeout", source="the topology",
    )  # fmt: skip
    return Part(chain=(waits,))


def _of_tier(tier: str, path: Path, strike: Strike, struck: Mapping[str, Hit], topology: Topology) -> tuple[Part, ...]:
    store = getattr(topology.tiers[tier].settings, "consensus", "")
    if not ({tier, store} & struck.keys()):
        return ()
    if not steps.promised(tier, topology):
        return (Part(unknown=True, reason=f"{tier}: {OWN_CONFIG}"),)
    if steps.of(tier, topology, "lease"):
        found = leased.parts(tier, path, strike, struck, topology)
    elif tier == path.entry:
        found = (_balancer(tier, path, strike, struck[tier], topology),)
    else:
        found = (_equal(tier, path, strike, struck[tier], topology),)
    if tier in path.needs:  # the program may still answer from what it remembers, or from another connection
        return tuple(replace(part, certain=False) for part in found)
    return found


def _equal(tier: str, path: Path, strike: Strike, hit: Hit, topology: Topology) -> Part:
    """Instances of which each is as good as the next; a balancer, or the client itself, asks another one."""
    asker = path.entry or next((user for user in topology.users_of(tier) if topology.tiers[user].routes), "")
    elsewhere = steps.of(asker, topology, "ask_elsewhere") or (steps.next_address(path, hit.of, hit.count),)
    nature = strike.nature
    if nature in ("silent", "refuses") and hit.everyone:
        return _gone(tier, strike, topology, back=steps.of(asker, topology, "in"))
    if nature == "silent":
        return Part(chain=elsewhere)
    if nature == "slow":
        return _slow(strike, elsewhere, hit)
    if nature == "cut" and strike.tier == tier and strike.fault in ("cut_from", "dependency_down"):
        return Part(unknown=True, reason="whether it can serve without the other tier is the program's own matter")
    return UNHARMED  # a refusal is noticed at once, and what only its own host cannot write, nobody sees


def _slow(strike: Strike, elsewhere: tuple[Delay, ...], hit: Hit) -> Part:
    if hit.everyone or strike.fault == "slow_answers":
        return Part(unknown=True, reason=NO_TIMER)
    late_s = getattr(strike.settings, "delay", 0.0) + getattr(strike.settings, "jitter", 0.0)
    again = Delay(
        step="client", name="a lost packet is sent again", low_s=0.0, high_s=1.0 + 4 * late_s,
        source="RFC 6298, 2: the first retransmission of a connection's opening comes after 1 s",
    )
    return Part(chain=(*elsewhere, again))


def _balancer(tier: str, path: Path, strike: Strike, hit: Hit, topology: Topology) -> Part:
    beside = [name for name, each in topology.tiers.items() if each.on == tier]
    mover = next((name for name in beside if steps.of(name, topology, "vip_missed")), "")
    nature = strike.nature
    if nature in ("silent", "refuses") and hit.everyone:
        return _gone(tier, strike, topology)
    if mover and nature == "silent":
        missed = "vip_released" if strike.fault in OF_PROCESS else "vip_missed"
        return Part(chain=steps.of(mover, topology, missed, "learned"), certain=hit.role == "certainly")
    if mover and nature == "refuses":
        if strike.fault == "crash_loop":
            return Part(chain=steps.of(mover, topology, "vip_released", "learned"))
        return Part(chain=steps.of(tier, topology, "restart", "start"), certain=hit.role == "certainly")
    if nature == "silent":
        return Part(chain=(steps.next_address(path, hit.of, hit.count),))
    if nature == "slow" or (nature == "cut" and strike.fault in ("cut_from", "dependency_down")):
        return Part(unknown=True, reason=NO_TIMER if nature == "slow" else "a balancer that lost its servers does not hand over")
    if nature == "in turn" and mover:
        return Part(chain=steps.of(tier, topology, "restart", "start"))
    return UNHARMED


def _gone(tier: str, strike: Strike, topology: Topology, back: tuple[Delay, ...] = ()) -> Part:
    """All of them: the service manager brings programs back, and nobody brings hosts back."""
    if strike.nature == "refuses" and strike.fault != "crash_loop":
        return Part(chain=(*steps.of(tier, topology, "restart", "start"), *back), certain=True)
    return Part(chain=(steps.lasting(strike), *steps.of(tier, topology, "start"), *back), certain=True, reason=LASTS)
