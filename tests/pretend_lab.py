"""A third lab: hosts and processes in memory.  It keeps the promises of `Lab` that matter to whoever conducts drills.

Programs do nothing here; what they would answer is for whoever asks `is_up` and `answers`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from holdfast.blueprint import Blueprint, Process
from holdfast.lab.verbs import Happening, HostGone, Output, State

T = TypeVar("T")
INNER_RESTART_S = 0.6
"""How long a pretended program takes to start its own inner process again."""


@dataclass(slots=True)
class Program:
    """One process, or an inner one.  `since_s`: when it last began or ended."""

    running: bool = False
    starts: int = 0
    number: int = 0
    since_s: float = 0.0


@dataclass(slots=True)
class Machine:
    powered: bool = True
    wired: bool = True
    paused: bool = False
    since_s: float = 0.0
    """When one of these last changed."""
    programs: dict[str, Program] = field(default_factory=dict)


class PretendLab:
    """See `Lab`.

    deaf: signals sent to these processes do nothing, and nobody is told.
    stuck: these hosts cannot be resumed, plugged or powered on again.
    broken: these processes end as soon as they start.
    brittle: whatever is done to these hosts breaks something of the lab itself.
    """

    name = "pretend"
    can = frozenset({"signal", "pause", "power", "wire"})

    def __init__(
        self, blueprint: Blueprint, *, deaf: Sequence[str] = (), stuck: Sequence[str] = (), broken: Sequence[str] = (),
        brittle: Sequence[str] = (),
    ):
        self.blueprint = blueprint
        self.deaf, self.stuck, self.broken = frozenset(deaf), frozenset(stuck), frozenset(broken)
        self.brittle = frozenset(brittle)
        self.broke: list[str] = []
        """What of the lab itself broke."""
        self.did: list[tuple[float, str, str]] = []
        """What was asked of it: when, which verb, of whom."""
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self.written: dict[tuple[str, str], str] = {}
        self._heard: asyncio.Queue[Happening] = asyncio.Queue()
        self._numbers = iter(range(1, 1_000_000))
        self.machines = {host.name: Machine(powered=not host.spare) for host in blueprint.hosts}
        self._unwanted: set[str] = set()
        for host in blueprint.hosts:
            if not host.spare:
                self._boot(host.name)

    # ---- what is true now

    def is_up(self, process: str, inner: str = "") -> bool:
        """It runs, on a host that does."""
        machine = self.machines[self.blueprint.process(process).host]
        name = f"{process}:{inner}" if inner else process
        return machine.powered and not machine.paused and machine.programs[name].running

    def reachable(self, host: str) -> bool:
        machine = self.machines[host]
        return machine.powered and machine.wired

    def changed_s(self, process: str, inner: str = "") -> float:
        """When it last began or ended, or its host did."""
        machine = self.machines[self.blueprint.process(process).host]
        return max(machine.since_s, machine.programs[f"{process}:{inner}" if inner else process].since_s)

    # ---- processes

    def _boot(self, host: str) -> None:
        for process in self.blueprint.on(host):
            self._run(process.name)

    def _run(self, process: str) -> None:
        described = self.blueprint.process(process)
        machine = self.machines[described.host]
        program = machine.programs.setdefault(process, Program())
        if not machine.powered or program.running:
            return
        self._begin(program)
        program.starts += 1
        for inner in described.inner:
            self._begin(machine.programs.setdefault(f"{process}:{inner}", Program()))
        self._tell("process.started", process, attempt=program.starts)
        if process in self.broken:
            self._end(process, code=1)

    def _begin(self, program: Program) -> None:
        program.running, program.number, program.since_s = True, next(self._numbers), self.now_s()

    def _end(self, process: str, code: int) -> None:
        described = self.blueprint.process(process)
        programs = self.machines[described.host].programs
        for name in (process, *(f"{process}:{inner}" for inner in described.inner)):
            programs[name].running, programs[name].since_s = False, self.now_s()
        self._tell("process.ended", process, code=code)
        if described.restart.policy == "always" and process not in self._unwanted:
            self._loop.call_later(described.restart.delay_s, self._run, process)

    def _begin_inner(self, process: str, inner: str) -> None:
        program = self.machines[self.blueprint.process(process).host].programs[f"{process}:{inner}"]
        if self.is_up(process) and not program.running:
            self._begin(program)

    def _tell(self, kind: str, process: str, **detail: object) -> None:
        self._heard.put_nowait(Happening(at_s=self.now_s(), kind=kind, process=process, detail=detail))

    # ---- the verbs

    def why_not(self, ability: str) -> str:
        return "" if ability in self.can else f"a pretended lab cannot {ability}"

    def now_s(self) -> float:
        return self._loop.time() - self._began_s

    async def signal(self, process: str, signal: str, inner: str = "") -> None:
        self.did.append((self.now_s(), signal, f"{process}:{inner}" if inner else process))
        if signal in ("HUP", "USR2"):
            return  # it reads its files again, and has none
        assert signal == "KILL", "no other is pretended"
        if process in self.deaf:
            return
        if not inner:
            self._end(process, code=-9)
            return
        program = self.machines[self.blueprint.process(process).host].programs[f"{process}:{inner}"]
        program.running, program.since_s = False, self.now_s()
        self._loop.call_later(INNER_RESTART_S, self._begin_inner, process, inner)

    async def start(self, process: str) -> None:
        self.did.append((self.now_s(), "start", process))
        self._unwanted.discard(process)
        self._run(process)

    async def stop(self, process: str) -> None:
        self.did.append((self.now_s(), "stop", process))
        self._unwanted.add(process)
        self._end(process, code=0)

    async def place(self, process: Process, secrets: Mapping[str, str]) -> None:
        self.did.append((self.now_s(), "place", process.name))
        every = tuple(process if each.name == process.name else each for each in self.blueprint.processes)
        assert every != self.blueprint.processes or process in every, f"no {process.name} in this lab"
        self.blueprint = replace(self.blueprint, processes=every)

    async def states(self, host: str) -> tuple[State, ...]:
        machine = self.machines[host]
        if not machine.powered:
            return ()
        alive = "stopped" if machine.paused else "running"
        return tuple(
            State(name=name, life=alive, starts=program.starts, identity=str(program.number)) if program.running
            else State(name=name, life="gone", starts=program.starts)
            for name, program in machine.programs.items()
        )  # fmt: skip

    def _change(self, verb: str, host: str, **now: bool) -> None:
        self.did.append((self.now_s(), verb, host))
        if host in self.stuck and verb in ("resume", "plug", "power_on"):
            raise OSError(f"{host} is stuck")
        if host in self.brittle:
            self.broke.append(f"a relay ended, and cut off {host}")
        machine = self.machines[host]
        machine.since_s = self.now_s()
        for name, value in now.items():
            setattr(machine, name, value)

    async def pause(self, host: str) -> None:
        self._change("pause", host, paused=True)

    async def resume(self, host: str) -> None:
        self._change("resume", host, paused=False)

    async def power_off(self, host: str) -> None:
        self._change("power_off", host, powered=False)
        for program in self.machines[host].programs.values():
            program.running = False

    async def power_on(self, host: str) -> None:
        if self.machines[host].powered:
            return
        self._change("power_on", host, powered=True, paused=False, wired=True)
        if not self.blueprint.host(host).spare:
            self._boot(host)

    async def unplug(self, host: str) -> None:
        self._change("unplug", host, wired=False)

    async def plug(self, host: str) -> None:
        self._change("plug", host, wired=True)

    async def addresses(self, host: str) -> frozenset[str]:
        if not self.machines[host].powered:
            raise HostGone(f"{host} has no power")
        return frozenset({self.blueprint.host(host).address})

    async def write(self, host: str, path: str, text: str, *, mode: int = 0o644) -> None:
        self.written[host, path] = text

    async def run(self, host: str, argv: Sequence[str], *, limit_s: float = 30.0, user: str = "root") -> Output:
        if list(argv) == ["cat", "/proc/net/tcp"]:
            return Output(code=0, text="  sl  local_address rem_address   st\n")
        raise NotImplementedError

    async def at(self, host: str, question: Callable[[], Awaitable[T]]) -> T:
        return await question()

    async def tail(self, process: str, lines: int = 20) -> str:
        return "out of luck" if process in self.broken else ""

    def troubles(self) -> tuple[str, ...]:
        return tuple(self.broke)

    async def happenings(self) -> AsyncIterator[Happening]:
        while True:
            yield await self._heard.get()
