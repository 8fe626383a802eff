"""What a change would gain: every single change that an architect may think of, with its minutes a year, best first.

Rules: one change at a time, the rest as it is; figures at their middle, so a gain is a difference of like with like; a
change that the topology could not bear (`check` would refuse it) is not offered, nor is a timer at half without effect on a year.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from string import ascii_lowercase
from typing import Any

from holdfast.engines.catalogue import ENGINES
from holdfast.errors import Problem
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.known import Measured, with_promises
from holdfast.predict.yearly import Prediction
from holdfast.quantities import written_seconds
from holdfast.topology.model import Topology

MOST_REPLICAS = 9
"""Beyond this, one more is no answer to anything."""

Sensible = Callable[[Topology], tuple[Problem, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """change: in words; setting: as `--set` takes it, or "" where it is no key of the file.  Minutes are of a 365.25-day year."""

    change: str
    setting: str
    before_min: float
    after_min: float

    @property
    def gain_min(self) -> float:
        return self.before_min - self.after_min


def gains(
    topology: Topology,
    sensible: Sensible,
    path: str = "service",
    measured: Mapping[str, Measured] | None = None,
) -> tuple[Gain, ...]:
    """Every single change, the largest gain first; a change for the worse has a negative one and stands last.

    measured: by drills; without a promise of its own, taken for measured of this topology.
    """
    measured = with_promises(measured or {}, topology)
    prediction = Prediction(topology, measured)
    before = _minutes(prediction.unavailability(path))
    found = []
    for change, setting, other in _changed(topology):
        if not sensible(other):
            after = _minutes(Prediction(other, measured).unavailability(path))
            found.append(Gain(change=change, setting=setting, before_min=before, after_min=after))
    for change, setting, other in _timers(topology):
        changed = Prediction(other, measured)
        if changed.known != prediction.known and not sensible(other):
            after = _minutes(changed.unavailability(path))
            found.append(Gain(change=change, setting=setting, before_min=before, after_min=after))
    middle = prediction.middle()
    for change, figures in _better(prediction, path, middle):
        after = _minutes(prediction.unavailability(path, {**middle, **figures}))
        found.append(Gain(change=change, setting="", before_min=before, after_min=after))
    return tuple(sorted(found, key=lambda gain: -gain.gain_min))


def _minutes(share: float) -> float:
    return share * YEAR_H * 60


def _with_tier(topology: Topology, name: str, **update: Any) -> Topology:
    """Tiers that lodge there keep their own number of instances."""
    tiers = {each: tier.model_copy(update=update) if each == name else tier for each, tier in topology.tiers.items()}
    for derived in [each for each in tiers if "replicas" in update and topology.bearer(each) == name]:
        tiers[derived] = tiers[derived].model_copy(update=update)
    return replace(topology, tiers=tiers)


def _changed(topology: Topology) -> Iterator[tuple[str, str, Topology]]:
    """(in words, as a setting, the other topology)"""
    for name, tier in topology.tiers.items():
        if topology.bearer(name):
            continue
        if tier.on is None and tier.replicas < MOST_REPLICAS:
            step = 2 if tier.engine == "etcd" else 1
            more = tier.replicas + step
            yield (
                f"{step} more of {name} ({tier.replicas} -> {more})",
                f"tiers.{name}.replicas={more}",
                _with_tier(topology, name, replicas=more),
            )
    names = (*ascii_lowercase, *map("".join, product(ascii_lowercase, repeat=2)))
    letter = next(each for each in names if each not in topology.zones)
    zones = (*topology.zones, letter)
    yield f"one more zone ({len(zones) - 1} -> {len(zones)})", f"zones=[{', '.join(zones)}]", replace(topology, zones=zones)


def _timers(topology: Topology) -> Iterator[tuple[str, str, Topology]]:
    """Each timer at half that a step of any engine here names as its setting, and each time that a call may take."""
    for name, tier in topology.tiers.items():
        said = [delay.setting.rpartition(".")[2] for delay in ENGINES[tier.engine].delays(name, topology) if delay.setting]
        for key in dict.fromkeys(each.strip() for setting in said for each in setting.split(",")):
            inner = getattr(tier.settings, "balance", None)
            within = "balance" if isinstance(getattr(inner, key, None), float) else ""
            value = getattr(inner if within else tier.settings, key, None)
            if isinstance(value, float) and value > 0 and tier.config is None:
                half = {key: value / 2}
                update = {within: inner.model_copy(update=half)} if within and inner else half
                other = _with_tier(topology, name, settings=tier.settings.model_copy(update=update))
                yield (*_halved(name, key, value, _written_at(topology, name, f"{within}.{key}" if within else key)), other)
        for called, uses in tier.uses.items():
            if uses.timeout > 0:
                shorter = {**tier.uses, called: uses.model_copy(update={"timeout": uses.timeout / 2})}
                told = _halved(f"{name} for {called}", "timeout", uses.timeout, f"tiers.{name}.uses.{called}.timeout={{}}")
                yield (*told, _with_tier(topology, name, uses=shorter))


def _halved(whose: str, key: str, value_s: float, place: str) -> tuple[str, str]:
    half = written_seconds(value_s / 2)
    return f"{key} of {whose} at half ({written_seconds(value_s)} -> {half})", place.replace("{}", half)


def _written_at(topology: Topology, name: str, key: str) -> str:
    """As `--set` takes it, with {} for the value: the keys of a tier that another one implies are written there."""
    bearer = topology.bearer(name)
    if not bearer:
        return f"tiers.{name}.{key}={{}}"
    if name == f"{bearer}-vip":
        return f"tiers.{bearer}.vip_settings.{key}={{}}"
    return f"tiers.{bearer}.mesh={{{key}: {{}}}}" if topology.tiers[bearer].mesh is True else f"tiers.{bearer}.mesh.{key}={{}}"


def _better(prediction: Prediction, path: str, middle: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """What is no number in the file, better habits and second providers: (in words, figures instead of those at their middle)."""

    def half(*names: str) -> dict[str, float]:
        return {name: middle[name] / 2 for name in names}

    topology = prediction.topology
    yield "a person acts in half the time", half(*(name for name in prediction.known if name.endswith("manual_failover")))
    if uncovered := [name for name in prediction.known if name.endswith("uncovered")]:
        yield "failing over works twice as reliably (a fence that cannot hang)", half(*uncovered)
        yield "failing over is exercised twice as often", half("reliability.failover_test")
    for tier in prediction.service.pools:
        if tier in prediction.path(path).tiers:
            yield f"{tier} fails over in half the time", half(f"tiers.{tier}.reliability.failover")
    yield "common causes made half as common (staged roll-outs, unlike versions)", half("reliability.beta")
    if "reliability.hosts.mttr" in prediction.known:
        yield "hosts are repaired in half the time", half("reliability.hosts.mttr")
    for name in topology.reliability.shared:
        if twice := _beside(f"reliability.shared.{name}", middle):
            yield f"a second provider beside {name}", twice
    yield "a second region that takes over without loss", _beside("reliability.region", middle)


def _beside(name: str, middle: Mapping[str, Any]) -> dict[str, float]:
    """The figure with which the thing is down as often as two of it at once that fail independently: for q of the time, q * q."""
    if f"{name}.down" in middle:
        return {f"{name}.down": middle[f"{name}.down"] ** 2}
    if f"{name}.mtbf" not in middle:
        return {}
    often, long = middle[f"{name}.mtbf"], middle[f"{name}.mttr"]
    both = (long / (often + long)) ** 2
    return {f"{name}.mtbf": long * (1.0 - both) / both}


def worse_than_one(prediction: Prediction) -> Iterator[tuple[str, float, float]]:
    """(tier, minutes a year as it is, with no more instances than it needs), where the spare ones cost more than they save: by
    failing over, and by the common causes that there are of two and more.  Both are totals of the service."""
    topology, values = prediction.topology, prediction.middle()
    for tier in prediction.service.pools:
        if not _may_be_worse(prediction, tier, values):
            continue
        apart = _apart(topology, tier)
        few = _few(apart, tier, prediction.service.needs[tier])
        now, then = (Prediction(each, prediction.measured).unavailability() for each in (apart, few))
        if then < now:
            yield tier, _minutes(now), _minutes(then)


def _may_be_worse(prediction: Prediction, tier: str, values: Mapping[str, float]) -> bool:
    """Whether what goes with the spare instances is at least half of what the others then cost with their hosts and programs: all
    else is more than a tree of its own is worth."""
    causes, pool = prediction.service.causes, prediction.service.pools[tier]
    values = prediction.waiting(values)
    borne = {f"tier:{tier}", *(f"tier:{each}" for each in prediction.topology.tiers if prediction.topology.bearer(each) == tier)}
    saved, _ = prediction.failing_over("service", prediction.middle())[tier]
    saved += sum(cause.down(values) for cause in causes.values() if borne & set(cause.where))
    alone = sum(cause.down(values) for cause in pool.own if not cause.name.startswith("zone "))
    return saved > prediction.service.needs[tier] * alone / 2


def _few(topology: Topology, tier: str, replicas: int) -> Topology:
    """With one alone there is nowhere for a virtual IP to go, and nothing that moves it."""
    found = _with_tier(topology, tier, replicas=replicas)
    if replicas > 1 or not topology.tiers[tier].vips:
        return found
    found = _with_tier(found, tier, vip=None, second_vip=None)
    return replace(found, tiers={name: each for name, each in found.tiers.items() if name != f"{tier}-vip"})


def _apart(topology: Topology, tier: str) -> Topology:
    """The same with hosts of their own for other tiers on this one's, whose numbers then stay as they are."""
    guests = [each for each, other in topology.tiers.items() if other.on == tier and topology.bearer(each) != tier]
    tiers = {each: other.model_copy(update={"on": None}) if each in guests else other for each, other in topology.tiers.items()}
    return replace(topology, tiers=tiers) if guests else topology
