"""The disks of the hosts: a file system in memory each, kept from boot to boot; one can be full while the others are not."""

import asyncio
import os
import signal
from pathlib import Path

from holdfast.lab import linux
from holdfast.lab.agent import Agent
from holdfast.lab.processes import everyone_below, number_within, signal_all

_BYTES = 2 << 30
"""Of each; it takes only what is written."""
_BUSY_S = 3.0
"""How long files that were open for writing may take to be closed once their programs are dead."""
_FLAGS = linux.MS_NOSUID | linux.MS_NODEV


class Disks:
    """Beneath `base`, one folder named after each host."""

    def __init__(self, base: Path):
        self._base = base
        self._servers: dict[str, int] = {}
        """Host to the process that serves its disk, 0 for none."""

    def of(self, host: str) -> Path:
        return self._base / host

    def lay(self, host: str) -> None:
        disk = self.of(host)
        if not disk.is_dir():
            disk.mkdir(parents=True)
            linux.mount("tmpfs", str(disk), "tmpfs", _FLAGS, f"size={_BYTES},mode=755")

    def fill(self, host: str, *, full: bool) -> None:
        """By its size, not by its content: no memory is used, and what programs delete is free for them again."""
        space = os.statvfs(self.of(host))
        size = (space.f_blocks - space.f_bfree) * space.f_frsize if full else _BYTES
        linux.mount("none", str(self.of(host)), flags=linux.MS_REMOUNT | _FLAGS, options=f"size={size}")

    def free(self, host: str) -> int:
        """Bytes."""
        space = os.statvfs(self.of(host))
        return space.f_bavail * space.f_frsize

    async def protect(self, host: str, agent: Agent, *, on: bool) -> None:
        """Raises OSError where a file is still open for writing: the kernel refuses then."""
        if not on:
            await self._remount(host, on=False)
            return
        await agent.ask("pause")  # so that nothing is started before the disk is as it shall be
        server = await agent.ask("disk_server")
        everyone = {pid: number_within(pid) for pid in everyone_below(agent.pid)}
        signal_all([pid for pid, number in everyone.items() if number != server], signal.SIGKILL)
        try:
            await self._remount(host, on=True)
        finally:
            await agent.ask("resume")

    async def found_server(self, host: str, agent: Agent) -> None:
        """Once a host has booted: who serves its disk, if it is to be made to wait."""
        server = await agent.ask("disk_server")
        found = [pid for pid in everyone_below(agent.pid) if number_within(pid) == server] if server else []
        self._servers[host] = found[0] if found else 0

    def stall(self, host: str, *, on: bool) -> None:
        """From out here: the host's own supervisor reads files of the disk, and might wait for what only it could let go."""
        if not (server := self._servers.get(host, 0)):
            raise OSError(f"nothing that could be stopped serves the disk of {host}")
        signal_all([server], signal.SIGSTOP if on else signal.SIGCONT)

    async def _remount(self, host: str, *, on: bool) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _BUSY_S
        flags = linux.MS_REMOUNT | _FLAGS | (linux.MS_RDONLY if on else 0)
        while True:
            try:
                linux.mount("none", str(self.of(host)), flags=flags)
                return
            except OSError:
                if loop.time() > until_s:
                    raise
            await asyncio.sleep(0.02)
