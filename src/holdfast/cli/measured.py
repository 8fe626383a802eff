"""Figures of a yearly prediction that drills have measured, read out of their records: pure.

| figure | from |
|---|---|
| `tiers.TIER.reliability.failover` | drills that lost the one instance in use, by killing it or by silencing its host |
| `reliability.engines.ENGINE.mttr` | drills that killed a program: until redundancy was back |

The range of a figure is what was measured, from the least to the most, of however many samples; one alone is taken for half to
double of it, because one run proves nothing.  A drill in which clients were not served again before the mending is no failover:
it is counted apart and said, since a mean over those that went well hides it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from holdfast.errors import Problem, Refused
from holdfast.predict.known import Measured, is_elected
from holdfast.predict.path import Path, path_of
from holdfast.predict.strike import AGAIN_AND_AGAIN, NATURES
from holdfast.quantities import shown_seconds
from holdfast.record.measure import DrillMeasure, PathMeasure, measure
from holdfast.record.store import Record
from holdfast.topology.model import Topology

IN_USE = ("primary", "active", "leader")
"""Words for a target that is the instance in use; where all are in use, any one of them is."""
LEAST_S = 0.001
"""A figure of nothing has no logarithm."""


@dataclass(slots=True)
class _Samples:
    seconds: list[float] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    endless: int = 0
    runs: dict[str, None] = field(default_factory=dict)

    def add(self, measured_s: float, fault: str, run: str) -> None:
        if measured_s == inf:
            self.endless += 1
            return
        self.seconds.append(max(measured_s, LEAST_S))
        self.faults[fault] = self.faults.get(fault, 0) + 1
        self.runs[run] = None


def measured(records: Sequence[Record], topology: Topology) -> Mapping[str, Measured]:
    """Name of a figure to what the drills of these records say of it.  Raises Refused for a record of another service."""
    found: dict[str, _Samples] = {}
    for record in records:
        run = record.meta.get("run") or {}
        if run.get("service") != topology.service:
            what = f"this run is of the service {run.get('service', 'nobody knows')}, not of {topology.service}"
            raise Refused(Problem(what, where=record.path, remedy="name runs of this topology"))
        name = f"{run.get('id', '')}{'' if run.get('lab') == 'namespaces' else ', lab ' + str(run.get('lab'))}"
        tiers = {event.drill: str(event.detail.get("tier", "")) for event in record.events if event.kind == "drill.began"}
        for drill in measure(record):
            for figure, seconds in _of(drill, tiers.get(drill.name, ""), topology):
                found.setdefault(figure, _Samples()).add(seconds, drill.fault, name)
    return {figure: _figure(samples) for figure, samples in found.items() if samples.seconds}


def _of(drill: DrillMeasure, tier: str, topology: Topology) -> Iterator[tuple[str, float]]:
    """(figure, seconds)."""
    if drill.outcome != "done" or tier not in topology.tiers or not _lost_one(drill, tier, topology):
        return
    paths = {name: path_of(name, declared, topology) for name, declared in topology.probes.items()}
    asked = [_down_s(each) for each in drill.paths if _decides(paths.get(each.probe), tier) and each.asked and not each.doubtful]
    if asked:
        yield f"tiers.{tier}.reliability.failover", max(asked)
    if drill.fault == "kill" and drill.redundancy == "back" and drill.redundancy_back_after_s is not None:
        own = topology.tiers[tier].reliability
        if own is None or not (own.mtbf or own.mttr or own.availability or own.sla is not None):
            yield f"reliability.engines.{topology.tiers[tier].engine}.mttr", drill.redundancy_back_after_s


def _lost_one(drill: DrillMeasure, tier: str, topology: Topology) -> bool:
    """One instance, the one in use, suddenly."""
    if NATURES.get(drill.fault) not in ("refuses", "silent") or drill.fault in AGAIN_AND_AGAIN:
        return False
    one_in_use = is_elected(topology, tier) or topology.tiers[tier].vip is not None or topology.tiers[tier].engine == "etcd"
    return drill.target in IN_USE if one_in_use else drill.target == "one"


def _decides(path: Path | None, tier: str) -> bool:
    """Whether what this probe saw is what the tier's loss costs: it goes there, and needs it."""
    return path is not None and tier in (path.entry, path.serves, *path.needs)


def _down_s(path: PathMeasure) -> float:
    return inf if path.down_s is None else path.down_s


def _figure(samples: _Samples) -> Measured:
    low_s, high_s, many = min(samples.seconds), max(samples.seconds), len(samples.seconds)
    drills = ", ".join(f"{fault} {count}" for fault, count in samples.faults.items())
    spread = shown_seconds(low_s) if many == 1 else f"{shown_seconds(low_s)} to {shown_seconds(high_s)}"
    source = f"drills of {'; '.join(samples.runs)}: n = {many}, {spread} ({drills})"
    if samples.endless:
        source += f"; {samples.endless} more without end, not counted here: see coverage"
    if many == 1:
        low_s, high_s, source = low_s / 2, high_s * 2, f"{source}, taken for half to double of it"
    return Measured(low=low_s / 3600, high=high_s / 3600, source=source)
