"""Carry out the steps of a rollout on a running lab, one after the other, each with a limit.

Whether an instance is in service, or works by its new files, is asked of the program itself and never assumed after a pause.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from holdfast.blueprint import Process, Site
from holdfast.change.step import Step
from holdfast.change.version import Version, scaled
from holdfast.drills.asking import Asker
from holdfast.drills.connections import connected
from holdfast.drills.rotation import in_rotation
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Actions, Question, Questions, Request
from holdfast.lab.verbs import Lab
from holdfast.probes.exchange import Unanswered
from holdfast.topology.model import Instance

SERVICE_LIMIT_S = 60.0
"""A new member of a database copies all of it first."""
TAKEN_LIMIT_S = 15.0
AGAIN_S = 5.0
DRAIN_LIMIT_S = 15.0
"""Whoever is still connected then is told by the program itself, which is asked to end in good order."""
LEADER_LIMIT_S = 30.0
_LOOK_S = 0.05
_PRINTED_LINES = 5000


@dataclass(slots=True, kw_only=True)
class Rollout:
    """One direction.  `secrets` are the values that count afterwards, `adopt` tells observer and clients."""

    lab: Lab
    site: Site
    asker: Asker
    before: Version
    after: Version
    secrets: Mapping[str, str]
    adopt: Callable[[], None]
    remarks: list[str] = field(default_factory=list)
    """What a person should know besides that it was done."""

    async def run(self, steps: tuple[Step, ...]) -> None:
        """Raises OSError with the step that could not be done."""
        ways: Mapping[str, Callable[[str], Awaitable[object]]] = {
            "boot": self.lab.power_on, "place": self._place, "start": self.lab.start, "in service": self._in_service,
            "in rotation": self._in_rotation,
            "reload": self._reload, "taken": self._taken, "hand over": self._hand_over, "stop": self.lab.stop,
            "drain": self._drain, "configure": self._configure, "settle": self._settle, "password": self._password,
            "adopt": self._adopt,
        }  # fmt: skip
        for step in steps:
            try:
                await ways[step.do](step.at)
            except (OSError, TimeoutError, Unanswered) as error:
                raise OSError(f"could not {step}: {error or type(error).__name__}") from error

    # ---- what each step needs to know

    def _process(self, name: str) -> Process:
        """As it shall be, or as it was if it goes."""
        every = (*self.after.blueprint.processes, *self.before.blueprint.processes)
        return next(process for process in every if process.name == name)

    def _version(self, name: str) -> Version:
        known = {process.name for process in self.after.blueprint.processes}
        return self.after if name in known else self.before

    def _instance(self, name: str) -> Instance:
        return self._version(name).instance(name)

    def _questions(self, name: str) -> Questions:
        instance = self._instance(name)
        found: Questions = ENGINES[instance.engine].questions(instance, self._version(name).topology)
        return found

    def _actions(self, name: str) -> Actions:
        instance = self._instance(name)
        found: Actions = ENGINES[instance.engine].actions(instance, self._version(name).topology)
        return found

    def _members(self, tier: str) -> list[str]:
        """Of the new version, those of the old one included: a leader may be about to go."""
        topologies = (self.after.topology, self.before.topology)
        return list(dict.fromkeys(each.name for topology in topologies if tier in topology.tiers
                                  for each in topology.instances_of(tier)))

    async def _leader(self, tier: str) -> str:
        """Process of the primary; waits for one."""
        found: list[str] = []

        async def led() -> bool:
            for name in self._members(tier):
                role = self._questions(name).role
                if role and await self.asker.word(role) == "primary":
                    found.append(name)
            return bool(found)

        await self._until(led, LEADER_LIMIT_S, f"nobody leads {tier}")
        return found[0]

    async def _ask(self, request: Request) -> None:
        response = await self.asker.request(request, dict(self.secrets))
        if response.status >= 300:
            raise OSError(f"status {response.status}: {response.body.decode(errors='replace')[:200]}")

    @staticmethod
    async def _until(true: Callable[[], Awaitable[bool]], limit_s: float, otherwise: str) -> None:
        try:
            async with asyncio.timeout(limit_s):
                while not await true():  # noqa: ASYNC110 - another machine's state tells no event
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise TimeoutError(f"{otherwise} after {limit_s:g} s") from None

    async def _says_yes(self, question: Question | None) -> bool:
        return question is None or await self.asker.word(question) == "yes"

    # ---- the steps

    async def _place(self, name: str) -> None:
        await self.lab.place(self._process(name), self.secrets)

    async def _adopt(self, _: str) -> None:
        self.adopt()

    async def _in_service(self, name: str) -> None:
        question = self._questions(name).service

        async def serves() -> bool:
            states = () if question else await self.lab.states(self._process(name).host)
            runs = any(state.name == name and state.life == "running" for state in states)
            return await self._says_yes(question) if question else runs

        await self._until(serves, SERVICE_LIMIT_S, f"{name} is not in service")

    async def _in_rotation(self, name: str) -> None:
        instance, topology = self._instance(name), self._version(name).topology
        await self._until(
            lambda: in_rotation(instance, topology, self.asker), TAKEN_LIMIT_S, f"balancers do not send to {name}",
        )  # fmt: skip

    async def _reload(self, name: str) -> None:
        """Whoever cannot be asked by which files it works prints something; a database is waited for as a whole, later."""
        actions = self._actions(name)
        before = await self._printed(name, actions.reloaded)
        await self.lab.signal(name, actions.reloads)
        question = self._agrees(name)
        if question and not actions.configure:
            # HAProxy loses a signal that comes before its last reload is quite done: an operator would try once more.
            with suppress(TimeoutError):
                await self._until(lambda: self._says_yes(question), AGAIN_S, "")
                return
            self.remarks.append(f"{name} was told twice to reload")
            await self.lab.signal(name, actions.reloads)

        async def printed() -> bool:
            return await self._printed(name, actions.reloaded) > before

        if not question and not actions.configure:
            await self._until(printed, TAKEN_LIMIT_S, f"{name} did not print: {actions.reloaded}")

    async def _printed(self, name: str, words: str) -> int:
        return (await self.lab.tail(name, _PRINTED_LINES)).count(words)

    def _agrees(self, name: str) -> Question | None:
        agrees = self._actions(name).agrees
        return agrees(self._process(name).files) if agrees else None

    async def _taken(self, name: str) -> None:
        question = self._agrees(name)
        await self._until(lambda: self._says_yes(question), TAKEN_LIMIT_S, f"{name} does not work by its new files")
        await self._in_service(name)

    async def _hand_over(self, name: str) -> None:
        """To somebody who stays.  Whom a synchronous database allows may be about to go as well: then once more."""
        tier = self._instance(name).tier
        staying = {each.name for each in self.after.topology.instances_of(tier)} - {name}
        going = set(self._members(tier)) - staying
        for _ in range(len(going) + 1):
            leader = await self._leader(tier)
            if leader not in going:
                return
            await self._switch(leader, tier)

    async def _switch(self, leader: str, tier: str) -> None:
        switchover = self._actions(leader).switchover
        assert switchover, "only who can hand over is asked to"
        await self._ask(switchover(self._instance(leader).host, ""))

        async def another() -> bool:
            return await self._leader(tier) != leader

        await self._until(another, LEADER_LIMIT_S, f"{leader} still leads")
        self.remarks.append(f"{leader} handed over")
        await self._whole(tier)

    async def _whole(self, tier: str) -> None:
        """Until the tier could lose one more, with those that came and those that are yet to go."""
        members = self._members(tier)
        questions = []
        for name in members:
            everyone = scaled(self._version(name).topology, tier, len(members))
            questions.append(ENGINES[self._instance(name).engine].questions(self._instance(name), everyone).redundant)

        async def redundant() -> bool:
            return any([await self._says_yes(question) for question in questions])

        await self._until(redundant, SERVICE_LIMIT_S, f"{tier} is not redundant")

    async def _drain(self, name: str) -> None:
        instance = self._instance(name)
        ports = {self.site.port(port) for port in ENGINES[instance.engine].ports(instance.tier, self._version(name).topology)}
        address = self.lab.blueprint.host(instance.host).address
        until_s = self.lab.now_s() + DRAIN_LIMIT_S
        while count := await connected(self.lab, instance.host, address, ports):
            if self.lab.now_s() > until_s:
                self.remarks.append(f"{count} were still connected to {name} after {DRAIN_LIMIT_S:g} s")
                return
            await asyncio.sleep(_LOOK_S)

    async def _configure(self, tier: str) -> None:
        leader = await self._leader(tier)
        configure = self._actions(leader).configure
        assert configure, "only what members share is configured"
        await self._ask(configure(self._instance(leader).host))

    async def _settle(self, tier: str) -> None:
        """Standbys first; then the primary hands over and is a standby itself.

        Twice: a standby may not have less of some limits (max_connections) than its primary, and falls only after it.
        """
        first = [version.topology.instances_of(tier)[0] for version in (self.before, self.after)]
        await asyncio.sleep(max(
            ENGINES[each.engine].actions(each, version.topology).notices_s
            for each, version in zip(first, (self.before, self.after), strict=True)
        ))
        for _ in range(2):
            for name in self._members(tier):
                if await self._pending(name) and name != await self._leader(tier):
                    await self._restart_inner(name, tier)
            leader = await self._leader(tier)
            if await self._pending(leader):
                await self._whole(tier)
                await self._switch(leader, tier)
                if await self._pending(leader):
                    await self._restart_inner(leader, tier)

    async def _pending(self, name: str) -> bool:
        question = self._questions(name).pending
        return question is not None and await self.asker.word(question) == "yes"

    async def _restart_inner(self, name: str, tier: str) -> None:
        restart = self._actions(name).restart
        assert restart, "what waits for a restart can be restarted"
        await self._ask(restart(self._instance(name).host))
        self.remarks.append(f"restarted what runs inside of {name}")
        await self._in_service(name)
        await self._whole(tier)

    async def _password(self, tier: str) -> None:
        leader = await self._leader(tier)
        host, user = self._instance(leader).host, self._process(leader).user
        said = await self.lab.run(host, [self.site.path(host, self._actions(leader).set_password)], user=user)
        if said.code:
            text = said.text.strip()
            for value in self.secrets.values():  # what a database says of a statement may quote it, and errors are recorded
                text = text.replace(value, "...")
            raise OSError(f"{leader}: {text[-200:] or f'exit code {said.code}'}")
