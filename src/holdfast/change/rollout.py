"""From one version of a service to another while clients are on it: which steps, in which order.

The order is the whole point.  Who comes is in service before anybody is sent to it; whoever sends learns of the change one
after the other; who goes is no longer sent to, and drained, before it stops.  Of a database first the leader leaves a host
that goes, and what its members share changes once all of them have their files.
"""

from collections.abc import Iterator

from holdfast.blueprint import Process, secrets_in
from holdfast.change.step import Step
from holdfast.change.version import Version
from holdfast.engines import mesh
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Actions
from holdfast.topology.model import Topology


def rollout(before: Version, after: Version) -> tuple[Step, ...]:
    """Empty where nothing changes."""
    old = {process.name: process for process in before.blueprint.processes}
    new = {process.name: process for process in after.blueprint.processes}
    renewed = after.renewed | before.renewed
    came = [name for name in _providers_first(after, new) if name not in old]
    left = [name for name in reversed(_providers_first(before, old)) if name not in new]
    changed = [name for name in new if name in old and differing(old[name], new[name], renewed)]
    restarted = [name for name in changed if _how(old[name], new[name], renewed, after) == "restart"]
    steps = [
        *_coming(before, after, came),
        *_leading_elsewhere(before, left),
        *(step for name in changed if name not in restarted for step in _told(name, old[name], new[name], renewed, after)),
        *_passwords(after, renewed, restarted),
        *(step for name in restarted for step in _restarting(name, after, placed=bool(renewed))),
        *_shared(before, after),
        *(Step("in rotation", name) for name in came if _balanced(name, after)),
    ]
    if steps or left:
        steps += [Step("adopt")] if not renewed else []
    return (*steps, *_leaving(left))


def differing(old: Process, new: Process, renewed: frozenset[str]) -> frozenset[str]:
    """Paths of the files that are not what they were, and `""` if the program is started in another way."""
    paths = {*old.files, *new.files}
    found = {path for path in paths if old.files.get(path) != new.files.get(path)}
    found |= {path for path, file in new.files.items() if renewed.intersection(secrets_in([file.text]))}
    started = ((each.argv, each.env, each.cwd, each.user, each.environment_file, each.restart) for each in (old, new))
    return frozenset(found | ({""} if len(set(map(repr, started))) > 1 else set()))


def _actions(name: str, version: Version) -> Actions:
    instance = version.instance(name)
    found: Actions = ENGINES[instance.engine].actions(instance, version.topology)
    return found


def _how(old: Process, new: Process, renewed: frozenset[str], after: Version) -> str:
    """How a program learns of its new files: `not`, `watches`, `reload` or `restart`."""
    actions = _actions(new.name, after)
    paths = differing(old, new, renewed) - set(actions.at_birth)
    if not paths:
        return "not"
    if "" in paths or new.environment_file in paths:
        return "restart"
    if actions.watches and all(path.startswith(actions.watches) for path in paths):
        return "watches"
    return "reload" if actions.reloads else "restart"


def _coming(before: Version, after: Version, came: list[str]) -> Iterator[Step]:
    """All of a tier at a time: they need not wait for each other, but whoever uses them waits for all."""
    known = {host.name for host in before.blueprint.hosts}
    yield from (Step("boot", host.name) for host in after.blueprint.hosts if host.name not in known)
    for tier in dict.fromkeys(after.instance(name).tier for name in came):
        own = [name for name in came if after.instance(name).tier == tier]
        yield from (Step(verb, name) for name in own for verb in ("place", "start"))  # type: ignore[arg-type]
        yield from (Step("in service", name) for name in own)


def _leading_elsewhere(before: Version, left: list[str]) -> Iterator[Step]:
    """First of all, or balancers would forget the one host that can write."""
    for name in left:
        if _actions(name, before).switchover:
            yield Step("hand over", name)


def _told(name: str, old: Process, new: Process, renewed: frozenset[str], after: Version) -> Iterator[Step]:
    how = _how(old, new, renewed, after)
    actions = _actions(name, after)
    yield Step("place", name)
    if how == "reload":
        yield Step("reload", name)
    if how != "not" and not actions.configure:
        yield Step("taken" if actions.agrees else "in service", name)


def _passwords(after: Version, renewed: frozenset[str], restarted: list[str]) -> Iterator[Step]:
    """Every file has the new value just before it counts; clients get it just after."""
    tiers = [tier for tier in after.topology.tiers if f"{tier}-app" in renewed]
    if tiers:
        yield from (Step("place", name) for name in restarted)
        yield from (Step("password", tier) for tier in tiers)
        yield Step("adopt")


def _restarting(name: str, after: Version, *, placed: bool) -> Iterator[Step]:
    if not placed:
        yield Step("place", name)
    if _actions(name, after).switchover:
        yield Step("hand over", name)
    yield Step("stop", name)
    yield Step("start", name)
    yield Step("in service", name)
    if _balanced(name, after):  # it serves, but whoever sends has to notice before the next one stops
        yield Step("in rotation", name)


def _balanced(name: str, version: Version) -> bool:
    tier = version.instance(name).tier
    serves = "http" in ENGINES[version.topology.tiers[tier].engine].SERVES
    return serves and bool(mesh.senders(tier, version.topology))


def _shared(before: Version, after: Version) -> Iterator[Step]:
    """What the members of a database keep outside of their files."""
    for tier in after.topology.tiers:
        if tier not in before.topology.tiers or _configured(tier, before.topology) == _configured(tier, after.topology):
            continue
        yield Step("configure", tier)
        yield from (Step("taken", each.name) for each in after.topology.instances_of(tier))
        yield Step("settle", tier)


def _configured(tier: str, topology: Topology) -> bytes:
    first = topology.instances_of(tier)[0]
    configure = ENGINES[first.engine].actions(first, topology).configure
    return configure("").body if configure else b""


def _leaving(left: list[str]) -> Iterator[Step]:
    for name in left:
        yield Step("drain", name)
        yield Step("stop", name)


def _providers_first(version: Version, processes: dict[str, Process]) -> list[str]:
    """Names, those of a tier behind those of the tiers that it needs."""
    tiers = version.topology.tiers
    order: list[str] = []

    def visit(tier: str, above: frozenset[str]) -> None:
        declared = tiers[tier]
        needed = [*declared.routes.values(), *declared.uses, *([declared.on] if declared.on else [])]
        needed += [str(store)] if (store := getattr(declared.settings, "consensus", None)) else []
        for other in needed:
            if other in tiers and other not in above:
                visit(other, above | {tier})
        if tier not in order:
            order.append(tier)

    for tier in tiers:
        visit(tier, frozenset({tier}))
    return [each.name for tier in order for each in version.topology.instances_of(tier) if each.name in processes]
