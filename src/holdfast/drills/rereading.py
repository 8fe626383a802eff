"""A reload of programs that no signal tells: the same files are moved into place once more, under another version.

Whether a program took them is asked of the program itself, which tells the version that it works by.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from holdfast.blueprint import File, Site
from holdfast.drills.asking import Asker
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Actions
from holdfast.topology.model import Instance, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Rereading:
    """Of these instances, whose engine has `Actions.again`."""

    instances: Sequence[Instance]
    topology: Topology
    site: Site
    asker: Asker

    def _files(self, instance: Instance) -> Mapping[str, File]:
        found: Mapping[str, File] = ENGINES[instance.engine].files(instance, self.topology, self.site)
        return found

    def _actions(self, instance: Instance) -> Actions:
        found: Actions = ENGINES[instance.engine].actions(instance, self.topology)
        return found

    def _again(self, instance: Instance) -> Mapping[str, File]:
        again = self._actions(instance).again
        assert again, "only who takes files without being told is asked to"
        return again(self._files(instance))

    async def change(self) -> str:
        told = []
        for instance in self.instances:
            for path, file in self._again(instance).items():
                await self.asker.lab.write(instance.host, path, file.text, mode=file.mode)
                told.append(f"{instance.host}:{path}")
        return f"moved into place: {', '.join(told)}"

    async def back(self) -> None:
        for instance in self.instances:
            own = self._files(instance)
            for path in self._again(instance):
                await self.asker.lab.write(instance.host, path, own[path].text, mode=own[path].mode)

    async def proof(self) -> str:
        for instance in self.instances:
            agrees = self._actions(instance).agrees
            question = agrees(self._again(instance)) if agrees else None
            if question is None or await self.asker.word(question) != "yes":
                return ""
        return "; ".join(f"{instance.name} says that it works by the files that came" for instance in self.instances)


Ways = tuple[Callable[[], Awaitable[str]], Callable[[], Awaitable[None]], Callable[[], Awaitable[str]]]


def rereading(actions: Actions, instances: Sequence[Instance], topology: Topology, site: Site, asker: Asker) -> Ways | None:
    """There, back, and the proof; None where a signal does it, or nothing."""
    if actions.reloads or not actions.again:
        return None
    way = Rereading(instances=instances, topology=topology, site=site, asker=asker)
    return way.change, way.back, way.proof
