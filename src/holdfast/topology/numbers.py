"""Numbers that are well written and make no sense: beats, patience, bounds and timeouts."""

from collections import Counter
from collections.abc import Iterator

from holdfast.errors import Problem
from holdfast.topology.model import Objectives, Topology

SLOWEST_BEAT_S = 3.0
"""A path is calm after 20 good answers in a row: slower ones could not become calm while the steady state is waited for."""


def beats(topology: Topology) -> Iterator[Problem]:
    if not topology.probes:
        remedy = 'add one under `probes:`, as in pages: {http: "http://TIER/", from: CLIENT, every: 50ms}'
        yield Problem("there are no probes: nothing would be measured", topology.located("probes"), remedy)
    for name, probe in topology.probes.items():
        every_s = getattr(probe, "every", 1.0)
        if not 0 < every_s <= SLOWEST_BEAT_S:
            reason = ": its 20 good answers in a row, which count as calm, would take longer than a steady service is waited for"
            what = f"the probe {name} asks every {every_s:g} s{reason if every_s else ''}"
            yield Problem(what, topology.located("probes", name, "every"), f"write more than 0 and at most {SLOWEST_BEAT_S:g}s")
        if getattr(probe, "patience", 1.0) <= 0:
            what = f"the probe {name} waits 0 s for an answer, so every answer would be too late"
            yield Problem(what, topology.located("probes", name, "patience"), "write more than 0, as in 2s")


def bounds(topology: Topology) -> Iterator[Problem]:
    """Numbers that count something are not negative."""
    judged: list[tuple[tuple[str | int, ...], Objectives]] = [((), topology.objectives)]
    judged += [(("drills", index), drill.objectives) for index, drill in enumerate(topology.drills) if drill.objectives]
    for path, objectives in judged:
        for name in ("lost_writes", "errors"):
            if (getattr(objectives, name) or 0) < 0:
                where = topology.located(*path, "objectives", name)
                yield Problem(f"the objective {name} is negative", where, "write 0 or more")
    for tier, declared in topology.tiers.items():
        for name, uses in declared.uses.items():
            if uses.retries < 0:
                yield Problem("retries is negative", topology.located("tiers", tier, "uses", name, "retries"), "write 0 or more")
            if uses.timeout <= 0:
                where = topology.located("tiers", tier, "uses", name, "timeout")
                yield Problem("a timeout of 0 s lets no call succeed", where, "write a longer one, as in 2s")
            if uses.ejection and not uses.ejection.duration > 0:
                where = topology.located("tiers", tier, "uses", name, "ejection", "for")
                yield Problem("an instance ejected for 0 s is not ejected", where, "write a longer one, as in 10s")
            if uses.retry_budget == 0:
                where = topology.located("tiers", tier, "uses", name, "retry_budget")
                yield Problem("a retry budget of 0% allows no retry", where, "write retries: 0, or more, as in 20%")
    twice = [zone for zone, times in Counter(topology.zones).items() if times > 1]
    if twice:
        yield Problem(f"the zone {twice[0]} is listed twice", topology.located("zones"), "list each zone once")
