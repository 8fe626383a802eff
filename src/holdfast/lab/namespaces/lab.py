"""The lab of namespaces: one bridge per segment, one set of namespaces per host, holdfast itself beside them as process 1."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TypeVar

import holdfast
from holdfast.blueprint import Blueprint, Host, Process
from holdfast.lab import linux, memory, netlink
from holdfast.lab.agent import Agent
from holdfast.lab.front import Fronts
from holdfast.lab.furnish import furnish, placed
from holdfast.lab.memory import Limits
from holdfast.lab.namespaces import abilities
from holdfast.lab.namespaces.description import description
from holdfast.lab.namespaces.disks import Disks
from holdfast.lab.namespaces.inside import HostLoop
from holdfast.lab.namespaces.links import Cable, Links, mac_of
from holdfast.lab.verbs import CLOCK_FILE, Happening, HostGone, Lab, Output, Rule, State

T = TypeVar("T")

_SOURCE = str(Path(holdfast.__file__).parents[1])
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.lab.namespaces.host import main; main(int(sys.argv[2]))"


class NamespaceLab:
    """See `Lab`.  `folder` is the run's own: logs stay there, disks lie on a file system in memory mounted over `folder/lab`."""

    name = "namespaces"

    def __init__(self, blueprint: Blueprint, secrets: Mapping[str, str], folder: Path, tasks: asyncio.TaskGroup):
        self.blueprint = blueprint
        self._secrets = secrets
        self._logs = folder / "logs"
        self._base = folder / "lab"
        self._disks = Disks(self._base / "disk")
        self._tasks = tasks
        self._began_s = asyncio.get_running_loop().time()
        self._agents: dict[str, Agent] = {}
        self._loops: dict[str, HostLoop] = {}
        self._heard: asyncio.Queue[Happening | None] = asyncio.Queue()
        self._bridges = {segment.name: f"hf{index}" for index, segment in enumerate(blueprint.segments)}
        self._cables = {
            host.name: Cable(number=index, address=host.address, bridge=self._bridges[host.segment])
            for index, host in enumerate(blueprint.hosts)
        }
        self._links = Links(self._cables, _SOURCE)
        self._fronts = Fronts(self)
        ground = memory.ground()
        self._limits = None if isinstance(ground, str) else Limits(ground, os.environ.get(memory.NAME, "holdfast-none"))
        self._why_not = abilities.why_not(ground)
        self.can = abilities.ALL - self._why_not.keys()
        self._networks = {segment.name: IPv4Network(segment.network) for segment in blueprint.segments}

    # ---- coming up

    async def lay_networks(self) -> None:
        """Bridges, holdfast's own address on each (the last but one of the network), and the file system for disks."""
        if os.getpid() != 1:
            raise PermissionError("a lab of namespaces is made only by a process 1 of its own: see `outer.enter`")
        self._base.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        linux.mount("tmpfs", str(self._base), "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=75%,mode=755")
        for directory in ("/etc", "/var/lib", "/var/log"):
            target = f"{self._base}/real{directory}"
            os.makedirs(target)
            linux.mount(directory, target, flags=linux.MS_BIND | linux.MS_REC)
        self._links.open()
        for segment, bridge in self._bridges.items():
            network = self._networks[segment]
            address = str(network.broadcast_address - 1)
            netlink.add_bridge(bridge, mac_of(address))
            netlink.add_address(bridge, address, network.prefixlen)

    async def boot(self, host: Host, *, start: bool) -> None:
        self._disks.lay(host.name)
        ours, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        argv = [sys.executable, "-I", "-S", "-c", _BOOT, _SOURCE, str(theirs.fileno())]
        os.posix_spawn(sys.executable, argv, {"PATH": "/usr/bin:/bin"}, setsid=True)  # noqa: ASYNC221 - it returns at once
        theirs.close()
        agent = Agent(host.name, self._pass_on)
        await agent.connect(ours, self._tasks)
        logs = {process.name: str(self.log_of(process.name)) for process in self.blueprint.on(host.name)}
        disk = self._disks.of(host.name)
        agent.send(description(self.blueprint, host, disk=disk, base=self._base, source=_SOURCE, logs=logs))
        pid = await agent.born()
        self._agents[host.name] = agent
        await self._disks.found_server(host.name, agent)
        await asyncio.to_thread(self._links.lay, host.name, pid)
        await agent.ask("network", address=host.address, prefix_length=self._networks[host.segment].prefixlen)
        await furnish(agent, self.blueprint.on(host.name), self._secrets)
        if start:
            for process in self.blueprint.on(host.name):
                await agent.ask("start", process=process.name)


    def _pass_on(self, happening: Happening) -> None:
        self._fronts.heard(happening)
        self._heard.put_nowait(replace(happening, at_s=happening.at_s - self._began_s))

    # ---- the verbs

    def why_not(self, ability: str) -> str:
        return "" if ability in self.can else self._why_not.get(ability, f"this lab cannot {ability}")

    def now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    def _agent(self, host: str) -> Agent:
        if host not in self._agents:
            raise HostGone(f"{host} has no power")
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
        await self.unplug(host)  # first the wire, or the dying host would tell everyone with FIN and RST
        agent = self._agents.pop(host)
        os.kill(agent.pid, signal.SIGKILL)
        await agent.close()
        # The dead host's unsent packets keep its network alive for minutes, and with it the cable, unless we take it.
        await asyncio.to_thread(self._links.take, host)

    async def power_on(self, host: str) -> None:
        if host not in self._agents:
            described = self.blueprint.host(host)
            await self.boot(described, start=not described.spare)

    async def unplug(self, host: str) -> None:
        await asyncio.to_thread(self._links.plug, host, into=False)

    async def plug(self, host: str) -> None:
        await asyncio.to_thread(self._links.plug, host, into=True)

    async def shape(self, rules: Sequence[Rule]) -> None:
        await asyncio.to_thread(self._links.shape, rules)

    async def divert(self, host: str, port: int, argv: Sequence[str], listens: int) -> None:
        await self._fronts.up(host, self._agent(host), argv, listens)
        await asyncio.to_thread(self._links.divert, host, {port: listens})

    async def undivert(self, host: str) -> None:
        await asyncio.to_thread(self._links.divert, host, {})
        await self._fronts.down(host, self._agents.get(host))

    async def fill_disk(self, host: str, *, full: bool) -> None:
        self._disks.fill(host, full=full)

    async def free_disk(self, host: str) -> int:
        return self._disks.free(host)

    async def stall_disk(self, host: str, *, on: bool) -> None:
        self._agent(host)  # without power nobody is there to be stopped
        self._disks.stall(host, on=on)

    async def protect_disk(self, host: str, *, on: bool) -> None:
        await self._disks.protect(host, self._agent(host), on=on)

    async def limit_memory(self, process: str, limit_bytes: int | None) -> None:
        assert self._limits, "asked only where the lab can"
        if limit_bytes is None:
            await asyncio.to_thread(self._limits.lift, process)
        else:
            await self._limits.hold_tree(process, self._of(process), limit_bytes)

    async def oom_kills(self, process: str) -> int:
        return self._limits.kills(process) if self._limits else 0

    async def shift_clock(self, host: str, by_s: float) -> None:
        await self.write(host, CLOCK_FILE, f"{by_s:+.3f}\n")

    def troubles(self) -> tuple[str, ...]:
        return (*self._links.died(), *self._fronts.ended())

    async def addresses(self, host: str) -> frozenset[str]:
        return frozenset(await self._agent(host).ask("addresses"))

    async def write(self, host: str, path: str, text: str, *, mode: int = 0o644) -> None:
        await self._agent(host).ask("write", path=path, text=text, mode=mode)

    async def run(self, host: str, argv: Sequence[str], *, limit_s: float = 30.0, user: str = "root") -> Output:
        return Output(**await self._agent(host).ask("run", limit_s=limit_s + 5, argv=list(argv), run_limit_s=limit_s, user=user))

    async def at(self, host: str, question: Callable[[], Awaitable[T]]) -> T:
        pid = self._agent(host).pid
        if (loop := self._loops.get(host)) is None or loop.pid != pid:
            if loop:
                loop.close()
            loop = self._loops[host] = HostLoop(host, pid)
        return await loop.run(question)

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

    def namespaces_of(self, host: str) -> dict[str, int]:
        """Open files of the host's namespaces, for a shell from another terminal; whoever gets them closes them."""
        if host not in self._cables:
            raise LookupError(f"there is no host {host}")
        pid = self._agent(host).pid
        return {kind: os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in ("user", "mnt", "net", "ipc", "uts", "pid")}

    # ---- going down

    async def down(self) -> None:
        self._heard.put_nowait(None)
        self._links.close()
        for loop in self._loops.values():
            loop.close()
        for agent in self._agents.values():
            with suppress(ProcessLookupError):
                os.kill(agent.pid, signal.SIGKILL)
        for agent in self._agents.values():
            await agent.close()
        linux.unmount(str(self._base))
        self._base.rmdir()


def _reap() -> None:
    """Process 1 inherits what its hosts leave behind."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


@asynccontextmanager
async def lab_up(
    blueprint: Blueprint, secrets: Mapping[str, str], folder: Path, *, start: bool = True
) -> AsyncIterator[Lab]:
    """Inside `outer.enter`: bring the blueprint up.  Raises OSError with the step that the kernel refused."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, _reap)
    async with asyncio.TaskGroup() as tasks:
        lab = NamespaceLab(blueprint, secrets, folder, tasks)
        await lab.lay_networks()
        try:
            async with asyncio.TaskGroup() as boots:
                for host in (each for each in blueprint.hosts if not each.spare):
                    boots.create_task(lab.boot(host, start=start))
            yield lab
        finally:
            await asyncio.shield(lab.down())
            # The loop closes its own pipe before it drops handlers: a child that ends in between would be told as an error.
            loop.remove_signal_handler(signal.SIGCHLD)



