"""Keep looking at every instance: in service, which role, and whether the service could lose one more.

What it sees is the lab's view, not a client's: it decides when a drill may begin and when redundancy is back, never how long
an outage was.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.blueprint import Site
from holdfast.drills.asking import PATIENCE_S, SOCKETS, Asker, Wire
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Questions
from holdfast.lab.verbs import Lab
from holdfast.plan import running_instances
from holdfast.topology.model import Instance, Topology

EVERY_S = 0.25

Told = Callable[[str, str, dict[str, object]], None]
"""Gets kind, subject and detail of what changed."""


@dataclass(slots=True)
class Standing:
    """How the service stands, as last seen.  Words as in `Questions`; `""`: no answer."""

    service: dict[str, str] = field(default_factory=dict)
    role: dict[str, str] = field(default_factory=dict)
    redundant: dict[str, str] = field(default_factory=dict)
    reachable: dict[str, bool] = field(default_factory=dict)
    """Does anything at the host's address answer, asked over the network?  A program asked inside its host cannot tell."""
    holders: dict[str, str] = field(default_factory=dict)
    """For each tier that moves a virtual IP: `one`, `several`, or `""` for nobody."""

    away: dict[str, str] = field(default_factory=dict)
    """For each instance that has an address of its own to hold: that address while it is not there, else ""."""

    def missing(self) -> tuple[str, ...]:
        """What keeps the service from being fully redundant, for a person."""
        out = [f"{name} is not in service" for name, word in self.service.items() if word != "yes"]
        out += [f"{tier} could not lose one more" for tier, word in self.redundant.items() if word != "yes"]
        out += [f"{host} cannot be reached" for host, reached in self.reachable.items() if not reached]
        out += [f"the address of {tier} is held by {word or 'nobody'}" for tier, word in self.holders.items() if word != "one"]
        out += [f"{address} is not at home with {name}" for name, address in self.away.items() if address]
        return tuple(out)


class Observer:
    """`watch` runs until it is cancelled."""

    def __init__(self, topology: Topology, site: Site, lab: Lab, told: Told, wire: Wire = SOCKETS):
        self._site, self._lab, self._told = site, lab, told
        self._asker = Asker(lab, site, wire)
        self._was_redundant: bool | None = None
        self._watchers: list[asyncio.Task[None]] = []
        self._confirms: dict[str, str] = {}
        """Whether commits wait for a standby; only told, since no drill depends on it."""
        self._tasks: asyncio.TaskGroup | None = None
        self._unseen: set[str] = set()
        """Instances and hosts that came with a change and were not looked at yet: nobody can say that they are missing."""
        self._take(topology)

    def _take(self, topology: Topology) -> None:
        self._topology, self.instances = topology, running_instances(topology, self._site)
        self.standing = Standing(
            service={instance.name: "" for instance in self.instances},
            reachable={instance.host: False for instance in self.instances},
            holders={
                instance.tier: "" for instance in self.instances if self._questions(instance, topology).holds
            },
            away={each.name: home for each in self.instances if (home := self._questions(each, topology).home)},
            redundant={
                tier: "" for tier in topology.tiers
                if any(instance.tier == tier and self._questions(instance, topology).redundant for instance in self.instances)
            },
        )  # fmt: skip

    def adopt(self, topology: Topology) -> None:
        """From now on the service is this one.  What was seen of those that stay is kept until they are looked at again."""
        for watcher in self._watchers:
            watcher.cancel()
        seen = self.standing
        self._take(topology)
        for of, known in (
            (self.standing.service, seen.service), (self.standing.reachable, seen.reachable),
            (self.standing.holders, seen.holders), (self.standing.redundant, seen.redundant),
            (self.standing.away, seen.away),
        ):  # fmt: skip
            of.update({name: known[name] for name in of if name in known})  # type: ignore[attr-defined, index]
        self._unseen = {*self.standing.service, *self.standing.reachable} - {*seen.service, *seen.reachable}
        names = {instance.name for instance in self.instances}
        self.standing.role.update({name: role for name, role in seen.role.items() if name in names})
        self._start_watching()

    @staticmethod
    def _questions(instance: Instance, topology: Topology) -> Questions:
        found: Questions = ENGINES[instance.engine].questions(instance, topology)
        return found

    async def watch(self) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            self._start_watching()
            await asyncio.Event().wait()

    def _start_watching(self) -> None:
        if self._tasks is None:
            return
        watchers = [
            *(self._watch_instance(instance) for instance in self.instances),
            *(self._watch_tier(tier) for tier in self.standing.redundant),
            *(self._watch_host(host) for host in self.standing.reachable),
        ]
        self._watchers = [self._tasks.create_task(watcher) for watcher in watchers]

    async def _watch_instance(self, instance: Instance) -> None:
        questions = self._questions(instance, self._topology)
        while True:
            if questions.service:
                word = await self._asker.word(questions.service)
            else:
                states = await self._lab.states(instance.host)
                word = "yes" if any(state.name == instance.name and state.life == "running" for state in states) else ""
            self.standing.service[instance.name] = word
            self._unseen.discard(instance.name)
            if questions.role or questions.holds:
                self._note_role(instance.name, await self._role(instance, questions))
            self._note_redundancy()
            await asyncio.sleep(EVERY_S)

    async def answered(self, instance: Instance) -> str:
        """Its answer when it is asked whether it serves, for a person; "" when there is none, or nothing to ask."""
        question = self._questions(instance, self._topology).service
        response = await self._asker.answer(question) if question else None
        return f"{self._asker.said(question)} answered {response.status}" if question and response else ""

    async def _watch_host(self, host: str) -> None:
        address = self._lab.blueprint.host(host).address
        while True:
            self.standing.reachable[host] = await self._asker.wire.knock(address, PATIENCE_S)
            self._unseen.discard(host)
            self._note_redundancy()
            await asyncio.sleep(EVERY_S)

    async def _role(self, instance: Instance, questions: Questions) -> str:
        if questions.role:
            response = await self._asker.answer(questions.role)
            if response and questions.confirms:
                self._note_confirms(instance.name, questions.confirms(response.status, response.body))
            return questions.role.read(response.status, response.body) if response else ""
        try:
            held = await self._lab.addresses(instance.host)
        except (OSError, TimeoutError):
            held = frozenset()
        if questions.home:
            self.standing.away[instance.name] = "" if questions.home in held else questions.home
        return "" if not held else "active" if questions.holds in held else "standby"

    def _note_confirms(self, name: str, word: str) -> None:
        if self._confirms.get(name) != word:
            self._confirms[name] = word
            self._told("confirms", name, {"confirms": word})

    def _note_role(self, name: str, role: str) -> None:
        if self.standing.role.get(name, "") != role:
            self.standing.role[name] = role
            self._note_holders()
            self._told("role", name, {"role": role})

    def _note_holders(self) -> None:
        for tier in self.standing.holders:
            roles = [self.standing.role.get(each.name) for each in self.instances if each.tier == tier]
            count = roles.count("active")
            self.standing.holders[tier] = "one" if count == 1 else "several" if count else ""

    async def _watch_tier(self, tier: str) -> None:
        while True:
            word = ""
            for instance in self._topology.instances_of(tier):
                question = self._questions(instance, self._topology).redundant
                if question and self.standing.service[instance.name] == "yes":
                    word = await self._asker.word(question)
                if word:
                    break
            self.standing.redundant[tier] = word
            self._note_redundancy()
            await asyncio.sleep(EVERY_S)

    def _note_redundancy(self) -> None:
        if self._unseen:
            return
        missing = self.standing.missing()
        redundant = not missing
        if redundant != self._was_redundant:
            if self._was_redundant is not None or redundant:
                kind = "redundancy.back" if redundant else "redundancy.lost"
                self._told(kind, self._topology.service, {"missing": list(missing)})
            self._was_redundant = redundant

    @property
    def redundant(self) -> bool:
        return not self.standing.missing()
