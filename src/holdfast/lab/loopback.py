"""The lab for machines that allow no namespaces: every host is an address of 127.0.0.0/8, a folder, and a supervisor.

Files lie beneath `folder/hosts/HOST` at their production paths.  Hosts share the machine's network and its /proc, so no host
can lose its power or its network, and a client's connections come from 127.0.0.1.
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import holdfast
from holdfast.blueprint import Blueprint, Host, Process
from holdfast.errors import NOT_CLEANED, Problem, Refused
from holdfast.lab.agent import Agent
from holdfast.lab.furnish import furnish, placed
from holdfast.lab.users import Users, users_for
from holdfast.lab.verbs import CLOCK_FILE, Happening, HostGone, Lab, Output, Rule, State

T = TypeVar("T")

_SOURCE = str(Path(holdfast.__file__).parents[1])
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.lab.loopback_host import main; main(int(sys.argv[2]))"
_ENDING_S = 10.0
_LEAST_FREE_BYTES = 256 << 20
WHY_NOT = {
    "power": "hosts are only processes here: the kernel would close their connections and so tell everyone, as no power cut does",
    "wire": "all hosts share this machine's one network, so there is no cable to pull",
    "disk": "all hosts share this machine's disk, which must be neither filled nor protected",
    "shape": "all hosts share this machine's one network, which nobody else would like to be slow",
    "stall": "all hosts share this machine's disk, which nobody else would like to wait for",
    "front": "all hosts share this machine's one network, so nothing can be put between a program and who asks it",
    "memory": "a memory limit is a folder of the machine, which nobody here would remove after kill -9",
    "shell": "a host has no file system and no network of its own here; its files are in the run's folder, beneath hosts/",
}


class LoopbackLab:
    """See `Lab`.  `folder` is the run's own: logs stay there, the hosts' files go when the lab does."""

    name = "loopback"
    can = frozenset({"signal", "pause", "publish", "check", "clock"})

    def __init__(
        self, blueprint: Blueprint, secrets: Mapping[str, str], folder: Path, users: Users, tasks: asyncio.TaskGroup
    ):
        self.blueprint = blueprint
        self._secrets = secrets
        self._folder = folder
        self._logs = folder / "logs"
        self._users = users
        self._tasks = tasks
        self._began_s = asyncio.get_running_loop().time()
        self._agents: dict[str, Agent] = {}
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}
        self._heard: asyncio.Queue[Happening | None] = asyncio.Queue()

    # ---- coming up

    async def boot(self, host: Host, *, start: bool) -> None:
        """Raises Refused when the host's files cannot be written."""
        self._logs.mkdir(parents=True, exist_ok=True)
        agent = self._agents[host.name] = Agent(host.name, self._pass_on)
        await agent.connect(self._spawn(host), self._tasks)
        try:
            agent.send(self._description(host))
            await agent.born()
            await furnish(agent, self.blueprint.on(host.name), self._secrets)
        except OSError as error:
            problem = Problem(str(error), where=str(self._folder), remedy="make room there, or choose another with --runs")
            raise Refused(problem) from None
        if start:
            for process in self.blueprint.on(host.name):
                await agent.ask("start", process=process.name)

    def _spawn(self, host: Host) -> socket.socket:
        """Its supervisor, in a session of its own: Ctrl-C in the terminal is for holdfast alone."""
        ours, theirs = socket.socketpair()
        with theirs, open(self._logs / "supervisors.log", "ab") as log:
            self._supervisors[host.name] = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, _SOURCE, str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env={"PATH": "/usr/bin:/bin"}, cwd="/",
                pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        return ours

    def _description(self, host: Host) -> dict[str, object]:
        return {
            "name": host.name,
            "prefix": f"{self._folder}/hosts/{host.name}",
            "users": self._users.way,
            "uid": self._users.uid,
            "gid": self._users.gid,
            "python": os.path.dirname(sys.executable),
            "logs": {process.name: str(self.log_of(process.name)) for process in self.blueprint.on(host.name)},
        }

    def _pass_on(self, happening: Happening) -> None:
        self._heard.put_nowait(
            Happening(
                at_s=happening.at_s - self._began_s, kind=happening.kind, process=happening.process, detail=happening.detail
            )
        )

    # ---- the verbs

    def why_not(self, ability: str) -> str:
        return "" if ability in self.can else WHY_NOT.get(ability, f"this lab cannot {ability}")

    def now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    def _agent(self, host: str) -> Agent:
        if host not in self._agents:
            raise HostGone(f"{host} is not up")
        return self._agents[host]

    def _of(self, process: str) -> Agent:
        return self._agent(self.blueprint.process(process).host)

    async def signal(self, process: str, signal: str, inner: str = "") -> None:
        await self._of(process).ask("signal", process=process, signal_name=signal, inner=inner)

    async def start(self, process: str) -> None:
        await self._of(process).ask("start", process=process)

    async def stop(self, process: str) -> None:
        await self._of(process).ask("stop", process=process)

    async def states(self, host: str) -> tuple[State, ...]:
        try:
            return tuple(State(**state) for state in await self._agent(host).ask("states"))
        except HostGone:
            return ()

    async def place(self, process: Process, secrets: Mapping[str, str]) -> None:
        self.blueprint = placed(self.blueprint, process)
        self._secrets = {**self._secrets, **secrets}
        if process.host in self._agents:
            await furnish(self._agents[process.host], [self.blueprint.process(process.name)], self._secrets)

    async def pause(self, host: str) -> None:
        await self._agent(host).ask("pause")

    async def resume(self, host: str) -> None:
        await self._agent(host).ask("resume")

    async def power_off(self, host: str) -> None:
        raise OSError(self.why_not("power"))

    async def power_on(self, host: str) -> None:
        """No host but a spare one is ever without power here."""
        if host not in self._agents:
            await self.boot(self.blueprint.host(host), start=False)

    async def unplug(self, host: str) -> None:
        raise OSError(self.why_not("wire"))

    async def plug(self, host: str) -> None:
        raise OSError(self.why_not("wire"))

    async def shape(self, rules: Sequence[Rule]) -> None:
        raise OSError(self.why_not("shape"))

    async def shift_clock(self, host: str, by_s: float) -> None:
        await self._agent(host).ask("write", path=CLOCK_FILE, text=f"{by_s:+.3f}\n", mode=0o644)

    def troubles(self) -> tuple[str, ...]:
        return ()

    async def addresses(self, host: str) -> frozenset[str]:
        return frozenset({self.blueprint.host(host).address})

    async def write(self, host: str, path: str, text: str, *, mode: int = 0o644) -> None:
        await self._agent(host).ask("write", path=path, text=text, mode=mode)

    async def run(self, host: str, argv: Sequence[str], *, limit_s: float = 30.0, user: str = "root") -> Output:
        answer = await self._agent(host).ask("run", limit_s=limit_s + 5, argv=list(argv), run_limit_s=limit_s, user=user)
        return Output(**answer)

    async def at(self, host: str, question: Callable[[], Awaitable[T]]) -> T:
        """Just awaits it: all hosts share one network, so whoever is asked sees 127.0.0.1 as the client's address."""
        return await question()

    def log_of(self, process: str) -> Path:
        """Where all that it prints is kept."""
        return self._logs / f"{process.replace('/', '-')}.log"

    async def tail(self, process: str, lines: int = 20) -> str:
        try:
            text = self.log_of(process).read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    async def happenings(self) -> AsyncIterator[Happening]:
        while (happening := await self._heard.get()) is not None:
            yield happening

    # ---- going down

    async def down(self) -> None:
        """Raises Refused with the hosts whose supervisors did not end in time."""
        self._heard.put_nowait(None)
        await asyncio.gather(*(agent.close() for agent in self._agents.values()))
        left = dict(self._supervisors)
        until_s = self.now_s() + _ENDING_S
        while left and self.now_s() < until_s:
            await asyncio.sleep(0.02)
            left = {host: supervisor for host, supervisor in left.items() if supervisor.poll() is None}
        if left:
            raise Refused(
                [
                    Problem("its programs did not end", where=host, remedy=f"kill what runs beneath process {supervisor.pid}")
                    for host, supervisor in left.items()
                ],
                exit_code=NOT_CLEANED,
            )


@asynccontextmanager
async def lab_up(
    blueprint: Blueprint, secrets: Mapping[str, str], folder: Path, *, start: bool = True
) -> AsyncIterator[Lab]:
    """Bring the blueprint up.  Raises Refused with what this machine does not allow."""
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:  # databases that meet a full disk at their start say so in a hundred lines
        remedy = "make room there, or choose another with --runs"
        raise Refused(Problem(f"only {free >> 20} MiB are free", where=str(folder), remedy=remedy))
    users = users_for(blueprint, folder)
    async with asyncio.TaskGroup() as tasks:
        lab = LoopbackLab(blueprint, secrets, folder, users, tasks)
        try:
            async with asyncio.TaskGroup() as boots:
                for host in (each for each in blueprint.hosts if not each.spare):
                    boots.create_task(lab.boot(host, start=start))
            yield lab
        finally:
            await asyncio.shield(lab.down())
