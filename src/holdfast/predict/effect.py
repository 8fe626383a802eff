"""What a strike does to each tier on a path: which steps pass until it serves again.

Three kinds of tier are known by what their engines can do: one with a lease (a database with a primary and standbys), one that
routes (a balancer, alone, with equal ones, or behind a virtual IP), and any other (equal instances, each as good as the next).
"""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.engines.engine import Delay
from holdfast.predict import changed, gray, leased, steps
from holdfast.predict.part import LASTS, NO_TIMER, OWN_CONFIG, UNHARMED, Part
from holdfast.predict.path import Path
from holdfast.predict.strike import AGAIN_AND_AGAIN, OF_PROCESS, Hit, Strike, dependency, hits
from holdfast.topology.model import Topology


def parts(path: Path, strike: Strike, topology: Topology) -> tuple[Part, ...]:
    """At least one."""
    if strike.fault in changed.FAULTS:
        return changed.parts(path, strike, topology)
    if strike.nature is None:
        return (Part(unknown=True, reason=f"what {strike.fault} does depends on the program"),)
    sidecars = topology.tiers[strike.tier].engine == "sidecar" if strike.tier in topology.tiers else False
    if sidecars and strike.fault in OF_PROCESS and strike.nature != "unharmed":
        return (Part(unknown=True, reason="what a program does while its sidecar is gone is its own matter"),)
    struck = hits(strike, topology)
    tiers = [tier for tier in (path.entry, path.serves, *path.needs) if tier]
    found = [part for tier in tiers for part in _of_tier(tier, path, strike, struck, topology)]
    found += [part for tier in path.misses for part in _shares_missed(tier, path, strike, struck, topology)]
    stateless = not steps.of(path.serves, topology, "lease")
    if strike.fault in ("dependency_down", "cut_from") and strike.tier == path.serves in struck and stateless:
        found += _without(path, strike, struck[path.serves])
    return tuple(found) or (UNHARMED,)


def _shares_missed(tier: str, path: Path, strike: Strike, struck: Mapping[str, Hit], topology: Topology) -> list[Part]:
    """Of a tier that callers can do without: they wait for it wherever something happens to it."""
    shares = _of_tier(tier, path, strike, struck, topology)
    if all(share == UNHARMED for share in shares):
        return []
    waits = _missed(tier, path)
    return [replace(waits if share.chain or share.unknown else UNHARMED, when=share.when, store=share.store) for share in shares]


def _without(path: Path, strike: Strike, hit: Hit) -> list[Part]:
    """The serving tier itself no longer hears another one."""
    other = dependency(strike)
    if other in path.misses:
        return [_missed(other, path)]
    if other in path.needs and hit.everyone:
        return [Part(chain=(steps.lasting(strike),), reason=LASTS)]
    return [Part(unknown=True, reason="whether it can serve without the other tier is the program's own matter")]


def _missed(tier: str, path: Path) -> Part:
    waits = Delay(
        step="client", name=f"the program waits for {tier}, then does without", low_s=0.0, high_s=path.misses[tier],
        setting=f"tiers.{path.serves}.uses.{tier}.timeout", source="the topology",
    )  # fmt: skip
    return Part(chain=(waits,))


def _of_tier(tier: str, path: Path, strike: Strike, struck: Mapping[str, Hit], topology: Topology) -> tuple[Part, ...]:
    store = getattr(topology.tiers[tier].settings, "consensus", "")
    if not ({tier, store} & struck.keys()):
        return ()
    if path.host and tier == path.first and tier in struck:
        return (_one_host(tier, strike, struck[tier], topology),)
    balancer = steps.asker(tier, path, topology)
    movers = [name for name, each in topology.tiers.items() if each.on == tier and tier == path.entry]
    beside = [store] if store in struck else []
    if foreign := [each for each in (tier, balancer, *movers, *beside) if each and not steps.promised(each, topology)]:
        return () if strike.nature == "unharmed" else (Part(unknown=True, reason=f"{foreign[0]}: {OWN_CONFIG}"),)
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
    asker = steps.asker(tier, path, topology)
    nature = steps.nature_to_others(strike)
    if not asker and tier != path.first and not hit.everyone and nature in ("silent", "refuses", "slow", "wrong"):
        return Part(unknown=True, reason=f"which instance of {tier} a program asks next is its own matter")
    elsewhere = steps.of(asker, topology, "ask_elsewhere") or (steps.next_address(path, hit.of, hit.count),)
    if nature in ("silent", "refuses") and hit.everyone:
        return _gone(tier, strike, topology, back=steps.of(asker, topology, "in"))
    if nature == "silent":
        chain = (*_out(asker, "out_silent", hit, elsewhere, path, topology), *elsewhere)
        return _crowded(tier, asker, hit, Part(chain=chain), strike, topology)
    if nature == "refuses":  # one is noticed at once; a second try may meet the second
        chain = steps.of(asker, topology, "out_refused") if hit.count > 1 else ()
        return _crowded(tier, asker, hit, Part(chain=chain), strike, topology)
    if nature == "slow":
        return gray.late(strike, hit, elsewhere, path, asker)
    if nature == "wrong":
        return gray.wrong(strike, hit, asker, steps.ejected(asker, tier, path, strike, topology))
    if strike.fault == "disk_read_only" and hit.everyone:  # all were killed, and may not start without a disk
        return Part(chain=(steps.lasting(strike), *steps.of(tier, topology, "start")), reason="it may need its disk to start")
    return UNHARMED  # what only its own host cannot write, nobody sees


def _crowded(tier: str, asker: str, hit: Hit, part: Part, strike: Strike, topology: Topology) -> Part:
    """Where a balancer sends each server only so many requests at a time, those that are left may be too few."""
    queue = steps.of(asker, topology, "queue")
    declared = topology.tiers[tier]
    if not queue:
        return part
    if declared.capacity and declared.demand:
        if (hit.of - hit.count) * declared.capacity >= declared.demand:
            return part
        return replace(part, chain=(*part.chain, steps.lasting(strike)), reason="what is left cannot carry the demand")
    why = "unless what is left cannot carry the load: declare capacity and demand"
    return replace(part, chain=(*part.chain, *queue), reason=why)


def _out(
    asker: str, step: str, hit: Hit, elsewhere: tuple[Delay, ...], path: Path, topology: Topology
) -> tuple[Delay, ...]:
    """A balancer asks elsewhere in time for the client, unless the client is more impatient, or elsewhere is as silent: then
    questions are lost until its checks have taken the silent ones out.
    """
    in_time = sum(each.high_s for each in elsewhere) <= path.patience_s
    return () if hit.count == 1 and in_time else steps.of(asker, topology, step)


def _one_host(tier: str, strike: Strike, hit: Hit, topology: Topology) -> Part:
    """The probe asks one host and no other, so nothing takes over for it."""
    nature = steps.nature_to_others(strike)
    if nature == "unharmed":
        return UNHARMED
    if nature == "refuses" and strike.fault not in AGAIN_AND_AGAIN and steps.of(tier, topology, "start"):
        return Part(chain=steps.of(tier, topology, "restart", "start"), certain=hit.everyone)
    if nature in ("silent", "refuses"):
        return Part(chain=(steps.lasting(strike),), certain=hit.everyone, reason="the probe asks this one host only")
    return Part(unknown=True, reason="the probe asks one host only, and nothing takes over for it")


def _balancer(tier: str, path: Path, strike: Strike, hit: Hit, topology: Topology) -> Part:
    beside = [name for name, each in topology.tiers.items() if each.on == tier]
    mover = next((name for name in beside if steps.of(name, topology, "vip_missed")), "")
    nature = steps.nature_to_others(strike)
    certain = hit.role == "certainly"
    if nature in ("silent", "refuses") and hit.everyone:
        return _gone(tier, strike, topology)
    if mover and getattr(strike.settings, "lost", "") == "received":
        why = "it hears nobody, and goes on to say that it holds the virtual IP"
        return Part(chain=(steps.lasting(strike),), certain=certain, reason=why)
    if mover and (strike.fault in ("disk_read_only", "scale_in")):  # keepalived ends without a word, or with one
        chains = (steps.of(mover, topology, "vip_missed", "learned"), steps.of(tier, topology, "restart", "start"))
        return Part(chain=max(chains, key=lambda chain: sum(step.high_s for step in chain)))
    if nature == "wrong":
        return Part(unknown=True, reason="clients are told what is wrong, and nobody takes over")
    if mover and nature == "silent":
        missed = "vip_released" if strike.fault in OF_PROCESS else "vip_missed"
        return Part(chain=steps.of(mover, topology, missed, "learned"), certain=certain)
    if mover and nature == "refuses":
        if strike.fault in AGAIN_AND_AGAIN:
            return Part(chain=steps.of(mover, topology, "vip_released", "learned"))
        return Part(chain=steps.of(tier, topology, "restart", "start"), certain=certain)
    if nature == "silent":
        return Part(chain=(steps.next_address(path, hit.of, hit.count),))
    if nature == "slow" or (nature == "cut" and strike.fault in ("cut_from", "dependency_down")):
        return Part(unknown=True, reason=NO_TIMER if nature == "slow" else "a balancer that lost its servers does not hand over")
    if nature == "in turn" and mover:
        return Part(chain=steps.of(tier, topology, "restart", "start"))
    return UNHARMED


def _gone(tier: str, strike: Strike, topology: Topology, back: tuple[Delay, ...] = ()) -> Part:
    """All of them: the service manager brings programs back, and nobody brings hosts back."""
    if strike.nature == "refuses" and strike.fault not in AGAIN_AND_AGAIN:
        return Part(chain=(*steps.of(tier, topology, "restart", "start"), *back), certain=True)
    return Part(chain=(steps.lasting(strike), *steps.of(tier, topology, "start"), *back), certain=True, reason=LASTS)
