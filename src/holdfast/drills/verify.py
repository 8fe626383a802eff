"""Did it strike?  Looked at by a route that the fault did not use; without proof a drill is void.

| fault | acted by | verified by |
|---|---|---|
| kill | a signal | the service manager reaped it, or another process stands in its place |
| freeze | stopping every process | the program on it does not answer |
| power_cut, isolate | killing or unplugging the host | nothing at its address answers a connection, not even with a refusal |
| switchover | a request to the leader | another instance says that it leads |
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from holdfast.drills.asking import Asker
from holdfast.drills.drill import Drill
from holdfast.drills.observe import Observer
from holdfast.engines.engine import Questions
from holdfast.faults.fault import Struck, Target
from holdfast.lab.verbs import Lab
from holdfast.topology.model import Instance

LIMIT_S = 5.0
SWITCHOVER_LIMIT_S = 30.0
_KNOCK_S = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """All that a verification may look at."""

    drill: Drill
    instance: Instance
    target: Target
    evidence: Struck
    questions: Questions
    lab: Lab
    asker: Asker
    observer: Observer
    ended: frozenset[str]
    """Processes that the service managers reported as ended since the strike."""


async def verified(look: Callable[[], Strike]) -> str:
    """Looks again and again until there is proof; returns it in words, or `""` when the time is over."""
    check = _CHECKS[look().drill.fault]
    limit_s = SWITCHOVER_LIMIT_S if look().drill.fault == "switchover" else LIMIT_S
    loop = asyncio.get_running_loop()
    until_s = loop.time() + limit_s
    while loop.time() < until_s:
        if proof := await check(look()):
            return proof
        await asyncio.sleep(0.05)
    return ""


async def _killed(strike: Strike) -> str:
    if not strike.target.inner:
        return f"the service manager reaped {strike.target}" if strike.target.process in strike.ended else ""
    before = {state.name: state.identity for state in strike.evidence.before}
    now = {state.name: state.identity for state in await strike.lab.states(strike.target.host)}
    name = f"{strike.target.process}:{strike.target.inner}"
    return f"{name} is another process than before" if before.get(name) and now.get(name) != before[name] else ""


async def _silent(strike: Strike) -> str:
    """Only a program can tell whether a host is frozen: its kernel still accepts connections."""
    assert strike.questions.service, "whoever can be frozen can be asked"
    word = await strike.asker.word(strike.questions.service, patience_s=_KNOCK_S)
    return f"{strike.instance.name} does not answer" if word == "" else ""


async def _unreachable(strike: Strike) -> str:
    address = strike.lab.blueprint.host(strike.target.host).address
    return "" if await strike.asker.wire.knock(address, _KNOCK_S) else f"nothing at {address} answers a connection"


async def _handed_over(strike: Strike) -> str:
    roles = strike.observer.standing.role
    leaders = [
        instance.host for instance in strike.observer.instances
        if instance.tier == strike.drill.tier and roles.get(instance.name) == "primary"
    ]
    return f"{leaders[0]} leads now" if leaders and strike.target.host not in leaders else ""


_CHECKS: dict[str, Callable[[Strike], Awaitable[str]]] = {
    "kill": _killed, "freeze": _silent, "power_cut": _unreachable, "isolate": _unreachable, "switchover": _handed_over,
}  # fmt: skip
