"""What a fault will cost the clients of a probe, before anything runs: bounds, and the chain of steps that they are made of.

The rules: each number comes from an engine's delays or from the probe's own settings, never from a run; a step is a timer, which
transfers to production, or work, which does not; where it is not known whether the strike meets the one that matters, the
lower bound is 0; where it depends on something that only the moment of the strike decides (is the primary in that zone, does
etcd's leader sit on the same host?), each case has a promise of its own; where nothing would end the outage there is no upper
bound; and where no setting decides, there is no promise, with the reason.

What is promised is what objectives are judged with: the sum of a path's outages or its longest gap between good answers,
whichever is longer.  A gap contains the beat of the probe itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from holdfast.engines.engine import Delay
from holdfast.predict import steps
from holdfast.predict.cases import cases, said, telling, within
from holdfast.predict.effect import parts
from holdfast.predict.part import Part, When
from holdfast.predict.path import Path, path_of
from holdfast.predict.strike import Strike
from holdfast.topology.model import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One fault on one path, seconds.  `high_s` is infinite where only mending ends it; both are None without a promise.

    given: the case that it holds for (`etcd's leader is on the struck host`), or "" for all cases.
    reason: why there is no promise, or no upper bound, or why it may not happen at all.
    """

    probe: str
    fault: str
    tier: str
    target: str
    writes: bool
    chain: tuple[Delay, ...]
    low_s: float | None
    high_s: float | None
    given: str = ""
    when: When = field(default_factory=dict)
    """The case as data; what makes no difference is missing."""
    reason: str = ""

    @property
    def width_s(self) -> float | None:
        """How much it leaves open."""
        return None if self.low_s is None or self.high_s is None else self.high_s - self.low_s

    @property
    def costliest(self) -> Delay | None:
        """The timer with the greatest upper bound: which setting costs most."""
        timers = (step for step in self.chain if step.kind == "timer" and step.setting)
        return max(timers, key=lambda step: step.high_s, default=None)

    def as_detail(self) -> dict[str, Any]:
        """As a record keeps it; an infinite bound is None beside `unbounded`."""
        return {
            "probe": self.probe, "low_s": self.low_s if self.low_s != inf else 0.0, "high_s": _finite(self.high_s),
            "unbounded": self.high_s == inf, "given": self.given, "when": dict(self.when), "reason": self.reason,
            "chain": [
                {"name": step.name, "low_s": _finite(step.low_s), "high_s": _finite(step.high_s), "kind": step.kind,
                 "setting": step.setting, "source": step.source}
                for step in self.chain
            ],
        }  # fmt: skip


def _finite(seconds: float | None) -> float | None:
    """For JSON, which knows no infinity."""
    return None if seconds == inf else seconds


def promises(strike: Strike, topology: Topology) -> tuple[Promise, ...]:
    """For every probe of the topology, in its order; several for one probe where the moment of the strike decides."""
    paths = [path_of(name, declared, topology) for name, declared in topology.probes.items()]
    return tuple(promise for path in paths for promise in _on(path, strike, topology))


def _on(path: Path, strike: Strike, topology: Topology) -> Iterable[Promise]:
    found = parts(path, strike, topology)
    store = next((part.store for part in found if part.store), "")
    made = [(case, _promise(path, strike, [part for part in found if within(part, case)])) for case in cases(found)]
    for case, promise in telling(made):
        yield replace(promise, when=case, given=said(case, store))


def _promise(path: Path, strike: Strike, found: Sequence[Part]) -> Promise:
    """The tier that is out longest decides: while it is, the others come back."""
    unknown = next((part for part in found if part.unknown), None)
    worst = unknown or max(found, key=lambda part: (part.high_s, part.low_s))
    chain = (*worst.chain, *steps.seen_by(path, worst.chain))
    low_s = max((part.low_s for part in found if part.certain), default=0.0)
    return Promise(
        probe=path.probe, fault=strike.fault, tier=strike.tier, target=strike.target, writes=path.writes,
        chain=() if unknown else chain, low_s=None if unknown else low_s,
        high_s=None if unknown else sum(step.high_s for step in chain),
        reason=worst.reason,
    )  # fmt: skip
