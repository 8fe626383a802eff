"""What is said under `reliability:`, and of capacity: names that nothing bears, and numbers that make no sense together."""

from collections.abc import Iterator

from holdfast.errors import Problem
from holdfast.topology.model import Pool, Rate, Topology
from holdfast.topology.wording import unknown


def reliability_named(topology: Topology) -> Iterator[Problem]:
    """Engines and tiers that are there."""
    engines = [tier.engine for tier in topology.tiers.values()]
    for engine in topology.reliability.engines:
        if engine not in engines:
            yield unknown("engine", engine, engines, topology.located("reliability", "engines", engine))
    for name, shared in topology.reliability.shared.items():
        for index, tier in enumerate(shared.tiers):
            if tier not in topology.tiers:
                where = topology.located("reliability", "shared", name, "tiers", index)
                yield unknown("tier", tier, topology.tiers, where)


def rates(topology: Topology) -> Iterator[Problem]:
    """A shared thing has a rate, and who fails often is not down for longer than it is up."""
    said = topology.reliability
    every: list[tuple[tuple[str, ...], Rate]] = [
        (("reliability", key), rate) for key in ("hosts", "zones", "region") if (rate := getattr(said, key)) is not None
    ]
    every += [(("reliability", "engines", name), rate) for name, rate in said.engines.items()]
    every += [(("reliability", "shared", name), rate) for name, rate in said.shared.items()]
    every += [(("tiers", name, "reliability"), tier.reliability) for name, tier in topology.tiers.items() if tier.reliability]
    for path, rate in every:
        if path[1] == "shared" and rate.mtbf is None and rate.availability is None and rate.sla is None:
            remedy = "add mtbf: 1y and mttr: 1h, or availability: 99.99%, or sla: 99.99%"
            yield Problem(f"nothing says how often {path[-1]} fails", topology.located(*path), remedy)
        if rate.mtbf and rate.mttr and rate.mttr[0] > rate.mtbf[1]:
            remedy = "write the time between failures as mtbf, the time of a repair as mttr"
            yield Problem("a repair takes longer than it works in between", topology.located(*path, "mttr"), remedy)
        zero = rate.availability is not None and rate.availability[0] == 0 or rate.sla == 0
        if zero:
            yield Problem("what is never available cannot be relied on", topology.located(*path), "write more than 0%")


def loads(topology: Topology) -> Iterator[Problem]:
    """A demand without a capacity says nothing."""
    for name, tier in topology.tiers.items():
        if tier.demand is not None and tier.capacity is None:
            where = topology.located("tiers", name, "demand")
            yield Problem(f"{name} has a demand and no capacity", where, "add `capacity:` of one instance, in requests a second")
        if isinstance(tier.reliability, Pool) and tier.replicas == 1 and tier.reliability.failover is not None:
            where = topology.located("tiers", name, "reliability", "failover")
            yield Problem(f"{name} has one instance and nothing to fail over to", where, "add replicas, or remove failover")
