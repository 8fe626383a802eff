"""Did it strike?  Looked at by a route that the fault did not use; without proof a drill is void.

| fault | acted by | verified by |
|---|---|---|
| kill, crash_loop | a signal | the service manager reaped it, or another process stands in its place |
| freeze, hang | stopping every process, or one | it stands as stopped, and is silent for longer than a healthy one may be |
| cpu_starve | stopping the host most of the time | the program answers much later than it would |
| power_cut, isolate | killing or unplugging the host | nothing at its address answers a connection, not even with a refusal |
| reboot, rolling_restart | power, or the service manager | other processes stand where the old ones stood |
| disk_full | taking the space away | a program on the host cannot write |
| disk_read_only | mounting it anew | a program on the host can read and cannot write |
| disk_slow | stopping what serves it | a write to it takes long, one to memory does not |
| oom | a limit of a control group | the kernel counts whom its OOM killer struck |
| clock_skew | a file that libfaketime reads | the program's own word of the time, beside the host's |
| alive_but_wrong, slow_answers | an Envoy in front of the port | requests of ours from elsewhere, from the host, for health |
| dependency_down | rules for the cables | nobody there hears a knock from the host; the others do, and the program lives |
| overload | a program on the client's host | that host's kernel counts the connections; some of the crowd are not served |
| partition, one_way, cut_from | rules for the cables | packets of our own arrive, or not, as the rules say |
| loss, delay, slow_link | rules for the cables | measured loss, round-trip time and rate |
| switchover | a request to the leader | another instance says that it leads |
| reload | a signal, or files moved into place | the program prints that it read its files again, or tells their version |
| scale_out, scale_in, config_change, password_change | files, signals, restarts | see `drills/changing.py` |
| certificate_change | a file and a signal | a handshake with each host shows the new certificate |

A strike at several hosts is proven when it is proven for each of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256

from holdfast.drills.asking import PATIENCE_S
from holdfast.drills.drill import CHANGES
from holdfast.drills.strike import Strike
from holdfast.drills.verify_gray import GRAY
from holdfast.engines import tls
from holdfast.faults import network_check
from holdfast.faults.fault import Target
from holdfast.lab.verbs import Lab

LIMIT_S = 6.0
SWITCHOVER_LIMIT_S = 30.0
_KNOCK_S = 0.6
_WHOLE_LOG = 1_000_000
"""Lines."""
_SILENCE_S = PATIENCE_S * 1.2
"""Longer than an answer may take of a program that counts as in service."""


async def verified(look: Callable[[], Strike]) -> str:
    """Looks again and again until there is proof; returns it in words, or `""` when the time is over."""
    check = CHECKS[look().drill.fault]
    slow = look().drill.fault in ("switchover", *CHANGES)
    limit_s = SWITCHOVER_LIMIT_S if slow else LIMIT_S
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
    """Only a program can tell whether a host is frozen: its kernel still accepts connections.

    Looked at now: on a busy machine a program that was sent a signal a moment ago may not stand still yet.
    """
    found = [state for host in dict.fromkeys(strike.target.hosts) for state in await strike.lab.states(host)]
    stopped = {state.name for state in found if state.life == "stopped"}
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


async def _reads_only(strike: Strike) -> str:
    proofs = []
    for host in strike.target.hosts:
        wrote = await strike.lab.run(host, ["sh", "-c", "echo > /var/lib/.holdfast-space"])
        await strike.lab.run(host, ["rm", "-f", "/var/lib/.holdfast-space"])
        read = await strike.lab.run(host, ["cat", "/etc/hostname"])
        refused = wrote.code != 0 and "Read-only file system" in wrote.text
        proofs.append(f"{host} reads and cannot write: {wrote.text.strip()}" if refused and read.code == 0 else "")
    return _all(proofs)


async def _handed_over(strike: Strike) -> str:
    roles = strike.observer.standing.role
    leaders = [
        instance.host for instance in strike.observer.instances
        if instance.tier == strike.drill.tier and roles.get(instance.name) == "primary"
    ]
    return f"{leaders[0]} leads now" if leaders and strike.target.host not in leaders else ""


async def _reloaded(strike: Strike) -> str:
    if strike.target.proof:
        return await strike.target.proof()
    proofs = []
    now = await printed(strike.lab, strike.target, strike.reloaded)
    for process, times in now.items():
        proofs.append(f"{process} printed: {strike.reloaded}" if times > strike.printed[process] else "")
    return _all(proofs)


async def printed(lab: Lab, target: Target, word: str) -> Mapping[str, int]:
    """How often each of the target's processes has printed this."""
    return {name: (await lab.tail(name, _WHOLE_LOG)).count(word) if word else 0 for name in target.processes}


async def _shown(strike: Strike) -> str:
    """By a handshake with each host itself: behind a virtual IP only one of them would be seen."""
    proofs = []
    port = strike.asker.site.port(tls.shown_at(strike.instances[0]))
    for host, said in zip(strike.target.hosts, strike.evidence.said.split(), strict=True):
        address = strike.lab.blueprint.host(host).address
        shown = await strike.asker.wire.certificate(address, port, PATIENCE_S)
        new = sha256(shown).hexdigest() == said
        proofs.append(f"{address} shows the new certificate" if new else "")
    return _all(proofs)


async def _overloaded(strike: Strike) -> str:
    """Where everybody is served, the declared capacity is not the limit."""
    figures = strike.evidence.figures
    unserved = figures["refused"] + figures["late"] + figures["failed"]
    if figures["opened"] < figures["due"] - figures["failed"] or not unserved:
        return ""
    rate = figures["due"] / figures["lasted_s"]
    return (f"{figures['opened']:.0f} connections were opened for {rate:.0f} requests a second, "
            f"{rate / figures['capacity']:.2f} of the capacity; {unserved:.0f} of {figures['due']:.0f} were not served")


async def _measured(strike: Strike) -> str:
    """By packets of our own between the hosts."""
    return await network_check.CHECKS[strike.drill.fault](strike.lab, strike.target)


async def _changed(strike: Strike) -> str:
    assert strike.target.proof, "the conductor knows how to prove a change"
    return await strike.target.proof()


CHECKS: dict[str, Callable[[Strike], Awaitable[str]]] = {
    "kill": _killed, "crash_loop": _killed, "freeze": _silent, "hang": _silent, "cpu_starve": _slow,
    "power_cut": _unreachable, "isolate": _unreachable, "reboot": _replaced, "rolling_restart": _replaced,
    "disk_full": _cannot_write, "switchover": _handed_over, "reload": _reloaded, "disk_read_only": _reads_only,
    "certificate_change": _shown, "overload": _overloaded,
    **GRAY, **{name: _changed for name in CHANGES}, **{name: _measured for name in network_check.CHECKS},
}  # fmt: skip
