"""Did it strike?  Looked at by a route that the fault did not use; without proof a drill is void.

| fault | acted by | verified by |
|---|---|---|
| kill, crash_loop | a signal | the service manager reaped it, or another process stands in its place |
| freeze, hang | stopping every process, or one | it stands as stopped, and is silent for longer than a healthy one may be |
| cpu_starve | stopping the host most of the time | the program answers much later than it would |
| power_cut, isolate | killing or unplugging the host | nothing at its address answers a connection, not even with a refusal |
| reboot, rolling_restart | power, or the service manager | other processes stand where the old ones stood |
| disk_full | taking the space away | a program on the host cannot write |
| partition, one_way, cut_from | rules for the cables | packets of our own arrive, or not, as the rules say |
| loss, delay, slow_link | rules for the cables | measured loss, round-trip time and rate |
| switchover | a request to the leader | another instance says that it leads |
| reload | a signal | the program prints that it read its files again |
| certificate_change | a file and a signal | a handshake with each host shows the new certificate |

A strike at several hosts is proven when it is proven for each of them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from holdfast.drills.asking import PATIENCE_S, Asker
from holdfast.drills.drill import Drill
from holdfast.drills.observe import Observer
from holdfast.engines import tls
from holdfast.engines.engine import Questions
from holdfast.faults import network_check
from holdfast.faults.fault import Struck, Target
from holdfast.lab.verbs import Lab
from holdfast.topology.model import Instance

LIMIT_S = 6.0
SWITCHOVER_LIMIT_S = 30.0
_KNOCK_S = 0.6
_SILENCE_S = PATIENCE_S * 1.2
"""Longer than an answer may take of a program that counts as in service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """All that a verification may look at.  `instances` are those that were struck, or one for each struck host."""

    drill: Drill
    instances: tuple[Instance, ...]
    target: Target
    evidence: Struck
    questions: tuple[Questions, ...]
    reloaded: str
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


def _all(proofs: list[str]) -> str:
    return "; ".join(proofs) if proofs and all(proofs) else ""


async def _killed(strike: Strike) -> str:
    if strike.target.inner:
        return await _others(strike, [f"{process}:{strike.target.inner}" for process in strike.target.processes])
    return _all([f"the service manager reaped {name}" if name in strike.ended else "" for name in strike.target.processes])


async def _replaced(strike: Strike) -> str:
    return await _others(strike, list(strike.target.processes))


async def _others(strike: Strike, names: list[str]) -> str:
    """Another process than before stands under each of these names, or none."""
    before = {state.name: state.identity for state in strike.evidence.before}
    found = [state for host in dict.fromkeys(strike.target.hosts) for state in await strike.lab.states(host)]
    now = {state.name: state.identity for state in found}
    return _all([f"{name} is another process than before" if before.get(name) not in ("", None, now.get(name)) else ""
                 for name in names])


async def _silent(strike: Strike) -> str:
    """Only a program can tell whether a host is frozen: its kernel still accepts connections."""
    stopped = {state.name for state in strike.evidence.after if state.life == "stopped"}
    proofs = []
    for instance, questions in zip(strike.instances, strike.questions, strict=True):
        if questions.service:
            word = await strike.asker.word(questions.service, patience_s=_SILENCE_S)
            silent = word == "" and instance.name in stopped
            proofs.append(f"{instance.name} is stopped and does not answer" if silent else "")
    return _all(proofs)


async def _slow(strike: Strike) -> str:
    """One answer of each that took at least half of a pause; a healthy one takes milliseconds."""
    long_s = strike.target.settings.period * strike.target.settings.share / 2
    loop = asyncio.get_running_loop()
    proofs = []
    for instance, questions in zip(strike.instances, strike.questions, strict=True):
        if questions.service:
            began_s = loop.time()
            await strike.asker.word(questions.service, patience_s=2.0)
            took_s = loop.time() - began_s
            proofs.append(f"{instance.name} took {took_s * 1000:.0f} ms to answer" if took_s >= long_s else "")
    return _all(proofs)


async def _unreachable(strike: Strike) -> str:
    proofs = []
    others = [host for host in strike.observer.standing.reachable if host not in strike.target.hosts]
    if others and not await strike.asker.wire.knock(strike.lab.blueprint.host(others[0]).address, _KNOCK_S):
        return ""  # whoever hears nobody at all has proven nothing
    for host in dict.fromkeys(strike.target.hosts):
        address = strike.lab.blueprint.host(host).address
        answers = await strike.asker.wire.knock(address, _KNOCK_S)
        proofs.append("" if answers else f"nothing at {address} answers a connection")
    return _all(proofs)


async def _cannot_write(strike: Strike) -> str:
    proofs = []
    for host in strike.target.hosts:
        wrote = await strike.lab.run(host, ["sh", "-c", "head -c 65536 /dev/zero > /var/lib/.holdfast-space"])
        await strike.lab.run(host, ["rm", "-f", "/var/lib/.holdfast-space"])
        proofs.append(f"{host} cannot write: {wrote.text.strip()}" if wrote.code else "")
    return _all(proofs)


async def _handed_over(strike: Strike) -> str:
    roles = strike.observer.standing.role
    leaders = [
        instance.host for instance in strike.observer.instances
        if instance.tier == strike.drill.tier and roles.get(instance.name) == "primary"
    ]
    return f"{leaders[0]} leads now" if leaders and strike.target.host not in leaders else ""


async def _reloaded(strike: Strike) -> str:
    proofs = []
    for process in strike.target.processes:
        printed = await strike.lab.tail(process, 30)
        proofs.append(f"{process} printed: {strike.reloaded}" if strike.reloaded in printed else "")
    return _all(proofs)


async def _shown(strike: Strike) -> str:
    """By a handshake with each host itself: behind a virtual IP only one of them would be seen."""
    proofs = []
    for host in strike.target.hosts:
        address = strike.lab.blueprint.host(host).address
        shown = await strike.asker.wire.certificate(address, strike.asker.site.port(tls.PORT), PATIENCE_S)
        new = sha256(shown).hexdigest() == strike.evidence.said
        proofs.append(f"{address} shows the new certificate" if new else "")
    return _all(proofs)


async def _measured(strike: Strike) -> str:
    """By packets of our own between the hosts."""
    return await network_check.CHECKS[strike.drill.fault](strike.lab, strike.target)


_CHECKS: dict[str, Callable[[Strike], Awaitable[str]]] = {
    "kill": _killed, "crash_loop": _killed, "freeze": _silent, "hang": _silent, "cpu_starve": _slow,
    "power_cut": _unreachable, "isolate": _unreachable, "reboot": _replaced, "rolling_restart": _replaced,
    "disk_full": _cannot_write, "switchover": _handed_over, "reload": _reloaded, "certificate_change": _shown,
    **{name: _measured for name in network_check.CHECKS},
}  # fmt: skip
