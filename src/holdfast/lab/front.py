"""Programs that stand in front of another one's port on the same host, for as long as a fault strikes."""

import asyncio
from collections.abc import Sequence
from typing import Any

from holdfast.lab.agent import Agent
from holdfast.lab.verbs import Happening, Lab

_UP_S = 5.0
_LOOK_S = 0.02


def _as_process(name: str, argv: Sequence[str]) -> dict[str, Any]:
    """For the supervisor: never started again, for a front that dies is a fault that ended by itself."""
    return {
        "name": name, "argv": list(argv), "env": {}, "cwd": "/", "user": "root", "environment_file": "",
        "restart": {"policy": "never", "delay_s": 0.0, "burst": 0, "window_s": 1.0}, "needs": [], "inner": {},
        "stop_signal": "KILL",
    }  # fmt: skip


class Fronts:
    """Owned by a lab; at most one on each host."""

    def __init__(self, lab: Lab):
        self._lab = lab
        self._up: set[str] = set()
        self._ended: list[str] = []

    async def up(self, host: str, agent: Agent, argv: Sequence[str], port: int) -> None:
        """Raises OSError with the last that the program says when it does not listen on `port` in time."""
        name = f"{host}/front"
        await agent.ask("keep", processes=[_as_process(name, argv)])
        await agent.ask("start", process=name)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _UP_S
        while not await self._lab.at(host, lambda: _listening(port)):
            if loop.time() > until_s:
                said = (await self._lab.run(host, argv, limit_s=2.0)).text.strip().splitlines()[-1:]
                raise OSError(f"{argv[0]} does not listen on port {port} of {host}: {''.join(said) or 'it says nothing'}")
            await asyncio.sleep(_LOOK_S)
        self._up.add(name)

    async def down(self, host: str, agent: Agent | None) -> None:
        """`agent`: of the host, if it has power."""
        self._up.discard(f"{host}/front")
        if agent:
            await agent.ask("forget", process=f"{host}/front")

    def heard(self, happening: Happening) -> None:
        if happening.kind == "process.ended" and happening.process in self._up:
            self._ended.append(f"{happening.process} ended, and whatever was sent there was refused")

    def ended(self) -> tuple[str, ...]:
        """Those that ended by themselves; the list only grows."""
        return tuple(self._ended)


async def _listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
