"""A planned change of a drill: what it leads to, there and back, and the proof that it counts.

The proof does not ask whoever was told: new instances must have been sent requests, old ones must be gone, running programs
must say themselves that they work by the new files, and a database must refuse the old password.
"""

import secrets as chance
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from holdfast.blueprint import Blueprint, Process, Site
from holdfast.change.objections import change_objections, scale_objections
from holdfast.change.rollout import rollout
from holdfast.change.version import Version, scaled, version, whole
from holdfast.drills.asking import Asker
from holdfast.drills.carry_out import Rollout
from holdfast.drills.connections import connected
from holdfast.drills.drill import CHANGES, Drill, actions_of, one
from holdfast.drills.prepare import Known
from holdfast.engines.catalogue import ENGINES
from holdfast.errors import Problem
from holdfast.faults.fault import Target
from holdfast.lab.verbs import Lab
from holdfast.plan import examine, plan
from holdfast.probes.login import lets_in
from holdfast.probes.settings import Http
from holdfast.topology.check import check, unsound
from holdfast.topology.model import Instance, Topology


def becomes(drill: Drill, topology: Topology) -> Topology:
    """The service as this drill's change makes it."""
    if drill.fault in ("scale_out", "scale_in"):
        return scaled(topology, drill.tier, drill.settings.to)
    return topology.later[drill.settings.to] if drill.fault == "config_change" else topology


def objections(drill: Drill, topology: Topology, where: str) -> Iterator[Problem]:
    """Why this change cannot be made while the service runs."""
    if drill.fault in ("scale_out", "scale_in"):
        found = scale_objections(topology, drill.tier, drill.settings.to, out=drill.fault == "scale_out", where=where)
        if not found:
            after = becomes(drill, topology)
            senseless = (*check(after), *examine(after, unsound(after)))
            found = tuple(Problem(each.what, where, each.remedy) for each in senseless)
        yield from found
    elif drill.fault == "config_change" and drill.settings.to in topology.later:
        after = topology.later[drill.settings.to]
        yield from change_objections(topology, after, where)
        if after.folder.resolve() != topology.folder.resolve():
            what = f"{drill.settings.to} is in another folder, where the programs that it names by path would be others"
            yield Problem(what, where, "put the file beside this one")
        if (after.tiers, after.configs) == (topology.tiers, topology.configs):
            yield Problem(f"nothing would change: {drill.settings.to} declares the same tiers", where, "name another file")
    elif drill.fault == "password_change" and "postgres" not in ENGINES[topology.tiers[drill.tier].engine].SERVES:
        yield Problem(f"{drill.tier} has no user whose password could change", where, "name a database tier, with `tier:`")


def touches_database(drill: Drill, topology: Topology) -> bool:
    """Whether a program with state changes, restarts or hands over: then a short pause of writes is promised, not none."""
    if drill.fault != "config_change":
        return bool(actions_of(topology, drill.tier).switchover)
    after = becomes(drill, topology)
    return any(
        actions_of(topology, tier).switchover and after.tiers.get(tier) != declared for tier, declared in topology.tiers.items()
    )


def keeps_sessions(drill: Drill) -> bool:
    """Balancers go on with the sessions that they carry."""
    return drill.fault in ("reload", "config_change")


def objections_of_all(topology: Topology) -> Iterator[Problem]:
    """Of the user's own drills, each at its line."""
    for index, drilled in enumerate(topology.drills):
        named = drilled.tier is None or drilled.tier in topology.tiers
        if drilled.fault in CHANGES and drilled.settings is not None and named:
            drill = one(topology, drilled)
            key = "tier" if drill.fault == "password_change" else "to"
            yield from objections(drill, topology, topology.located("drills", index, key))


def with_later(topology: Topology, drills: tuple[Drill, ...]) -> Topology:
    """Knows all that it becomes in these drills, so that a site has room and programs for it."""
    made = {drill.name: becomes(drill, topology) for drill in drills if drill.fault in CHANGES}
    return replace(topology, later={**topology.later, **made})


def laboratory(topology: Topology, site: Site) -> Blueprint:
    """What the lab must hold: the service, and as spares the hosts that come with one of its changes."""
    return whole(plan(topology, site), [plan(each, site) for each in topology.later.values()])


@dataclass(slots=True, kw_only=True)
class Change:
    """One drill's change on a running lab.  `adopt` tells the observer; `known` is what clients know."""

    drill: Drill
    topology: Topology
    site: Site
    lab: Lab
    asker: Asker
    known: Known
    secrets: Mapping[str, str]
    adopt: Callable[[Topology], None]
    before: Version = field(init=False)
    after: Version = field(init=False)
    new_secrets: Mapping[str, str] = field(init=False)
    identities: dict[str, str] = field(default_factory=dict)
    """Of every process before the change."""

    def __post_init__(self) -> None:
        renewed = [f"{self.drill.tier}-app"] if self.drill.fault == "password_change" else []
        self.before = version(self.topology, self.site)
        self.after = version(becomes(self.drill, self.topology), self.site, renewed)
        self.new_secrets = {**self.secrets, **{name: chance.token_urlsafe(18) for name in renewed}}

    def aimed(self, target: Target) -> Target:
        return replace(target, change=self.there, back=self.back, proof=self.proof)

    def _rollout(self, before: Version, after: Version, secrets: Mapping[str, str]) -> Rollout:
        def adopt() -> None:
            self.known.adopt(after.topology, secrets)
            self.adopt(after.topology)

        return Rollout(
            lab=self.lab, site=self.site, asker=self.asker, before=before, after=after, secrets=secrets, adopt=adopt,
        )  # fmt: skip

    async def there(self) -> str:
        """Returns what was done, for a person.  Raises OSError with the step that could not be done."""
        self.identities = await self._identities()
        return await self._go(self._rollout(self.before, self.after, self.new_secrets))

    async def back(self) -> None:
        await self._go(self._rollout(self.after, self.before, self.secrets))

    async def _go(self, way: Rollout) -> str:
        steps = rollout(way.before, way.after)
        await way.run(steps)
        return "; ".join([*(str(step) for step in steps), *way.remarks])

    async def _identities(self) -> dict[str, str]:
        hosts = [host.name for host in self.lab.blueprint.hosts]
        return {state.name: state.identity for host in hosts for state in await self.lab.states(host)}

    # ---- the proof

    async def proof(self) -> str:
        old = {process.name: process for process in self.before.blueprint.processes}
        new = {process.name: process for process in self.after.blueprint.processes}
        proofs = [await self._joined(name) for name in new if name not in old]
        proofs += [await self._gone(name) for name in old if name not in new]
        now = await self._identities()
        for name in new:
            if name in old and (old[name].files, old[name].argv) != (new[name].files, new[name].argv):
                proofs.append(await self._works_anew(name, new[name], now))
        proofs += [await self._new_password(secret) for secret in sorted(self.after.renewed)]
        told = list(dict.fromkeys(each for each in proofs if each != "-"))
        return "; ".join(told) if told and all(told) else ""

    async def _joined(self, name: str) -> str:
        """In service, and sent requests by a balancer if clients ask for any."""
        instance = self.after.instance(name)
        questions = ENGINES[instance.engine].questions(instance, self.after.topology)
        if questions.service and await self.asker.word(questions.service) != "yes":
            return ""
        if questions.redundant:
            whole_now = await self.asker.word(questions.redundant) == "yes"
            return f"{name} is in service, and its tier could lose one more with it" if whole_now else ""
        balancers = self._balancers(instance.tier)
        if not balancers:
            return f"{name} is in service"
        for balancer in balancers:
            question = ENGINES[balancer.engine].questions(balancer, self.after.topology).reached
            if question is None:
                if await self._connected(balancer, instance):
                    return f"{balancer.name} is connected to {name}"
            elif f"{instance.tier}/{instance.host}" in (await self.asker.word(question)).split():
                return f"{balancer.name} sent requests to {name}"
        return ""

    async def _connected(self, balancer: Instance, instance: Instance) -> bool:
        """For balancers that keep to themselves whom they send to.  In a shared network nobody's address tells who connects."""
        if self.site.shares_network:
            return False
        at, by = (self.lab.blueprint.host(each.host).address for each in (instance, balancer))
        ports = {self.site.port(port) for port in ENGINES[instance.engine].ports(instance.tier, self.after.topology)}
        return await connected(self.lab, instance.host, at, ports, by=by) > 0

    def _balancers(self, tier: str) -> list[Instance]:
        """Those in front of this tier that clients of the drill ask for pages."""
        topology = self.after.topology
        asked = {name for probe in self.topology.probes.values() if isinstance(probe, Http) for name in probe.tiers}
        asked |= {topology.borne_by(name) for name in asked}
        names = [name for name, other in topology.tiers.items() if other.routes.get("http") == tier and name in asked]
        return [instance for name in names for instance in topology.instances_of(name)]

    async def _gone(self, name: str) -> str:
        instance = self.before.instance(name)
        if any(state.name == name and state.life != "gone" for state in await self.lab.states(instance.host)):
            return ""
        question = ENGINES[instance.engine].questions(instance, self.before.topology).service
        return "" if question and await self.asker.word(question) else f"{name} has ended and nothing answers there"

    async def _works_anew(self, name: str, process: Process, now: Mapping[str, str]) -> str:
        instance = self.after.instance(name)
        actions = ENGINES[instance.engine].actions(instance, self.after.topology)
        question = actions.agrees(process.files) if actions.agrees else None
        pending = ENGINES[instance.engine].questions(instance, self.after.topology).pending
        if question is not None:
            waits = pending is not None and await self.asker.word(pending) != "no"
            agreed = await self.asker.word(question) == "yes" and not waits
            return f"{name} says that it works by the new files" if agreed else ""
        if actions.reloads:
            return f"{name} printed: {actions.reloaded}" if actions.reloaded in await self.lab.tail(name, 100) else ""
        other = now.get(name) not in ("", None, self.identities.get(name))
        return f"{name} is another process than before, started with the new files" if other else ""

    async def _new_password(self, secret: str) -> str:
        """Asked from a client's place, of the database itself."""
        tier = self.drill.tier
        client = next(iter(self.topology.clients))
        words = []
        for secrets in (self.secrets, self.new_secrets):
            known = Known(self.after.topology, self.site, {**secrets, secret: secrets[secret]})
            database = known.database(tier, tier)
            address = next(iter(database.nodes.values()))
            words.append(await self.lab.at(client, lambda database=database, address=address: lets_in(database, address)))
        return f"{tier} refuses the old password and takes the new one" if words == ["no", "yes"] else ""
