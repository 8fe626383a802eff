"""What a small shop in a pretended lab would answer: three web hosts, three databases of which one leads.

A primary that is lost for `takeover_s` is replaced; one that is back before leads on.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from pathlib import Path

from pretend_lab import PretendLab

from holdfast.blueprint import Program, Site
from holdfast.drills.asking import Wire
from holdfast.engines import command, etcd, patroni
from holdfast.probes.exchange import Response, Unanswered
from holdfast.probes.probe import Audit, Probe, Reply
from holdfast.record.event import Answer
from holdfast.topology.model import Client, Tier, Topology

LATENCY_S = 0.002
SITE = Site(
    lab="namespaces",
    programs={
        name: Program(name=name, path=f"/usr/bin/{name}", version="15.0", source="PATH")
        for name in ("etcd", "patroni", "postgres")
    },
)


def topology(*, apart: bool = False) -> Topology:
    """`apart`: the consensus has hosts of its own."""
    web = command.Settings(run="python3 app.py", port=8080, health="/ready")
    return Topology(
        service="shop", network=IPv4Network("10.0.1.0/24"), zones=("a",), clients={"client": Client()}, folder=Path("/srv/shop"),
        tiers={
            "web": Tier(engine="command", replicas=3, settings=web),
            "db": Tier(engine="patroni", replicas=3, settings=patroni.Settings(synchronous=1, consensus="etcd")),
            "etcd": Tier(engine="etcd", replicas=3, on=None if apart else "db", settings=etcd.Settings()),
        },
    )  # fmt: skip


class PretendService:
    def __init__(self, lab: PretendLab, takeover_s: float, leads: str = "db1"):
        self.lab, self.takeover_s = lab, takeover_s
        self.databases = [process.host for process in lab.blueprint.processes if process.name.endswith("/patroni")]
        self.webs = [process.host for process in lab.blueprint.processes if process.name.endswith("/command")]
        self._primary = leads
        self._hosts = {host.address: host.name for host in lab.blueprint.hosts}

    def _serves(self, host: str) -> bool:
        return self.lab.reachable(host) and self.lab.is_up(f"{host}/patroni", "postgres")

    def primary(self) -> str:
        """Who leads now, serving or not."""
        lost_s = self.lab.now_s() - self.lab.changed_s(f"{self._primary}/patroni", "postgres")
        if not self._serves(self._primary) and lost_s >= self.takeover_s:
            able = [host for host in self.databases if self._serves(host)]
            self._primary = able[0] if able else self._primary
        return self._primary

    # ---- what questions meet

    async def exchange(
        self, addresses: Sequence[str], port: int, path: str, *, patience_s: float, method: str = "GET", body: bytes = b"",
        host: str = "", login: tuple[str, str] | None = None,
    ) -> Response:  # fmt: skip
        name = self._hosts[addresses[0]]
        program = {8080: "command", 8008: "patroni", 2379: "etcd"}[port]
        await self._meet(name, program, patience_s)
        if path == "/switchover":
            asyncio.get_running_loop().call_later(1.0, self._hand_over)
        return Response(200, json.dumps(self._answer(name, path)).encode(), {})

    async def _meet(self, host: str, program: str, patience_s: float) -> None:
        machine = self.lab.machines[host]
        if not self.lab.reachable(host) or machine.paused:
            await asyncio.sleep(patience_s)
            raise Unanswered(f"no answer within {patience_s:g} s", sent=True)
        await asyncio.sleep(LATENCY_S)
        if not self.lab.is_up(f"{host}/{program}"):
            raise Unanswered("refused", sent=False)

    def _hand_over(self) -> None:
        self._primary = next(host for host in self.databases if host != self._primary and self._serves(host))

    def _answer(self, host: str, path: str) -> Mapping[str, object]:
        if host in self.webs:
            return {}
        if host not in self.databases:
            return {"health": "true", "header": {"member_id": host}, "leader": host}
        serves, leads = self._serves(host), host == self.primary()
        if path == "/patroni":
            return {"state": "running" if serves else "stopped", "role": "primary" if leads else "replica"}
        if path == "/cluster":
            return {"members": [self._member(each) for each in self.databases if self.lab.is_up(f"{each}/patroni")]}
        if path == "/v3/maintenance/status":
            return {"header": {"member_id": host}, "leader": self.databases[0]}
        return {"health": "true"}

    def _member(self, host: str) -> Mapping[str, str]:
        if host == self.primary():
            return {"role": "leader", "state": "running" if self._serves(host) else "stopped"}
        return {"role": "sync_standby", "state": "streaming" if self._serves(host) else "stopped"}

    async def knock(self, address: str, patience_s: float) -> bool:
        if not self.lab.reachable(self._hosts[address]):
            await asyncio.sleep(patience_s)
            return False
        return True

    @property
    def wire(self) -> Wire:
        return Wire(self.exchange, self.knock)

    # ---- what clients meet

    def orders(self, every_s: float) -> Probe:
        """A write is acknowledged by a primary that serves; else the client waits in vain."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[object]:
            async def ask(number: int) -> Reply:
                await asyncio.sleep(LATENCY_S)
                if self._serves(self.primary()):
                    return Reply(answer="yes", detail=self._primary)
                await asyncio.sleep(0.05)
                return Reply(answer="unknown", detail="no answer")

            yield ask

        async def audit(became: Mapping[int, Answer], primary: str) -> Audit:
            return Audit(acknowledged=sum(answer == "yes" for answer in became.values()))

        return Probe(
            name="orders", kind="ledger", what="numbered writes", client="client", every_s=every_s, patience_s=1.0, writes=True,
            open=opened, audit=audit,
        )  # fmt: skip

    def pages(self, every_s: float) -> Probe:
        """A balancer in front of the web hosts is taken to be perfect: one host that answers is enough."""

        @asynccontextmanager
        async def opened() -> AsyncIterator[object]:
            async def ask(number: int) -> Reply:
                await asyncio.sleep(LATENCY_S)
                able = any(self.lab.reachable(host) and self.lab.is_up(f"{host}/command") for host in self.webs)
                return Reply(answer="yes" if able else "no")

            yield ask

        return Probe(
            name="pages", kind="http", what="a page", client="client", every_s=every_s, patience_s=1.0, writes=False, open=opened,
        )  # fmt: skip
