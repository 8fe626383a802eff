"""The load of an `overload`, and what is watched meanwhile: whether instances still say that they serve, and are sent to.

The load is a program of its own on the client's host.  That it was offered is told by the client's kernel, which counts the
connections that are opened.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from holdfast.blueprint import Site
from holdfast.drills.asking import Asker
from holdfast.drills.drill import Drill
from holdfast.drills.prepare import port_of
from holdfast.drills.rotation import in_rotation
from holdfast.engines.catalogue import ENGINES
from holdfast.plan import reach
from holdfast.probes import load
from holdfast.topology.model import Topology

BEYOND_S = 10.0
"""How long the program may take besides: to start, and until its last request has given up."""
LOOK_S = 0.25


@dataclass(slots=True)
class Looks:
    """Questions about health during the load: how many, and how many were not answered with a yes in time."""

    asked: int = 0
    missed: int = 0
    not_sent_to: int = 0
    """Looks at which a balancer had taken an instance out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    drill: Drill
    topology: Topology
    site: Site
    asker: Asker
    looks: Looks = field(default_factory=Looks)

    @property
    def capacity(self) -> float:
        """Requests a second, of all instances together."""
        declared = self.topology.tiers[self.drill.tier]
        assert declared.capacity, "what has no capacity cannot be offered twice of it"
        return declared.capacity * declared.replicas

    async def offered(self) -> Mapping[str, float]:
        """For as long as the drill is held.  Raises OSError where the program could not do its work."""
        client, argv, limit_s = self._program()
        opened = await self._opened(client)
        looking = asyncio.create_task(self._look(), name="looks at health")
        try:
            output = await self.asker.lab.run(client, argv, limit_s=limit_s)
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
        if output.code:
            raise OSError(f"the load on {client} ended with {output.code}: {output.text.strip()[-200:]}")
        return {
            **json.loads(output.text), "opened": await self._opened(client) - opened, "capacity": self.capacity,
            "looks": self.looks.asked, "health_missed": self.looks.missed, "not_sent_to": self.looks.not_sent_to,
        }  # fmt: skip

    def _program(self) -> tuple[str, list[str], float]:
        """The client, the command line and how long it may take."""
        topology, wanted = self.topology, self.drill.settings
        probe = topology.probes[wanted.probe]
        parts = urlsplit(probe.http)
        name = parts.hostname or ""
        argv = load.argv(
            sys.executable, addresses=reach(topology, self.site, name),
            port=self.site.port(parts.port or port_of(topology, name, "http") or 80), host=parts.netloc,
            path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""), expect=probe.expected[0],
            rate=wanted.times * self.capacity, lasts_s=self.drill.hold_s, deadline_s=probe.patience,
        )  # fmt: skip
        limit_s = self.drill.hold_s + probe.patience + BEYOND_S
        return probe.client or next(iter(topology.clients)), argv, limit_s

    async def _opened(self, client: str) -> float:
        """How many connections the host has opened; the kernel's own count (RFC 4022: tcpActiveOpens)."""
        output = await self.asker.lab.run(client, ["cat", "/proc/net/snmp"])
        tables = [line.split() for line in output.text.splitlines() if line.startswith("Tcp:")]
        return float(dict(zip(*tables, strict=True))["ActiveOpens"]) if len(tables) == 2 else 0.0

    async def _look(self) -> None:
        while True:
            for instance in self.topology.instances_of(self.drill.tier):
                question = ENGINES[instance.engine].questions(instance, self.topology).service
                self.looks.asked += 1
                if question and await self.asker.word(question) != "yes":
                    self.looks.missed += 1
                if not await in_rotation(instance, self.topology, self.asker):
                    self.looks.not_sent_to += 1
            await asyncio.sleep(LOOK_S)


def offering(drill: Drill, topology: Topology, site: Site, asker: Asker) -> Callable[[], Awaitable[Mapping[str, float]]] | None:
    """None where the drill offers nothing."""
    if drill.fault != "overload":
        return None
    return Offering(drill=drill, topology=topology, site=site, asker=asker).offered
