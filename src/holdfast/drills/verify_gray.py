"""Proof of the faults that leave a program alive: by requests of our own, and by what the kernel and the programs tell."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime

from holdfast.drills.strike import Strike
from holdfast.faults.fault import Front, Target
from holdfast.faults.gray import beyond
from holdfast.faults.network_proof import connects
from holdfast.probes.exchange import Response, Unanswered
from holdfast.quantities import shown_seconds

_FEW, _MANY = 3, 60
_DEVIATIONS = 4.0
"""So wide that a share as it was told to be is doubted once in ten thousand times."""
_BRISK_S = 0.5
_PATIENCE_S = 2.0
_KNOCK_S = 0.4
_CLOCK_TOLERANCE_S = 2.5
"""A Date header has whole seconds, and libfaketime may look at its file a second late."""


def _all(proofs: list[str]) -> str:
    return "; ".join(proofs) if proofs and all(proofs) else ""


def _work(front: Front) -> str:
    """A path that is not the one for health."""
    return "/" if front.health.split("?")[0] != "/" else "/holdfast"


async def _asked(strike: Strike, asker: str, host: str, path: str, patience_s: float) -> tuple[int, float]:
    """Status (0: none) and how long it took, of a GET to the struck port, from the network of the host `asker`."""
    front = strike.target.front
    assert front, "the fault refuses a tier without http"
    address = strike.lab.blueprint.host(host).address
    loop = asyncio.get_running_loop()

    async def ask() -> Response:
        return await strike.asker.wire.exchange((address,), front.port, path, patience_s=patience_s)

    began_s = loop.time()
    try:
        status = (await strike.lab.at(asker, ask)).status
    except (Unanswered, OSError):
        status = 0
    return status, loop.time() - began_s


def _witness(target: Target) -> str:
    """Whoever is not struck: a client, for they come last, and every service has one."""
    return target.rest[-1]


def _as_often(hits: int, count: int, share: float) -> bool:
    allowed = _DEVIATIONS * (share * (1 - share) / count) ** 0.5
    return hits > 0 and abs(hits / count - share) <= allowed


async def _answers(strike: Strike, host: str, patience_s: float) -> list[tuple[int, float]]:
    count = _FEW if strike.target.settings.share == 1 else _MANY
    path, witness = _work(strike.target.front), _witness(strike.target)
    return await asyncio.gather(*(_asked(strike, witness, host, path, patience_s) for _ in range(count)))


async def _healthy(strike: Strike, host: str) -> bool:
    """From the other host, at once."""
    status, took_s = await _asked(strike, _witness(strike.target), host, strike.target.front.health, _PATIENCE_S)
    return status == 200 and took_s < _BRISK_S


async def wrong(strike: Strike) -> str:
    """Requests from elsewhere get the wrong status; the same one from the host itself does not, and health is as ever."""
    wanted, proofs = strike.target.settings, []
    for host in dict.fromkeys(strike.target.hosts):
        answers = await _answers(strike, host, _PATIENCE_S)
        hits = [status for status, _ in answers].count(wanted.status)
        own, _ = await _asked(strike, host, host, _work(strike.target.front), _PATIENCE_S)
        struck = _as_often(hits, len(answers), wanted.share) and own not in (0, wanted.status) and await _healthy(strike, host)
        said = f"{hits} of {len(answers)} requests to {host} were answered {wanted.status}, its own {own}, and health 200"
        proofs.append(said if struck else "")
    return _all(proofs)


async def slow(strike: Strike) -> str:
    """Requests from elsewhere take at least the delay; one from the host itself does not, and health answers at once."""
    wanted, proofs = strike.target.settings, []
    for host in dict.fromkeys(strike.target.hosts):
        answers = await _answers(strike, host, wanted.delay + _PATIENCE_S)
        late_s = [took_s for status, took_s in answers if status and took_s >= wanted.delay]
        _, own_s = await _asked(strike, host, host, _work(strike.target.front), _PATIENCE_S)
        struck = _as_often(len(late_s), len(answers), wanted.share) and own_s < wanted.delay and await _healthy(strike, host)
        said = f"{len(late_s)} of {len(answers)} requests to {host} took {shown_seconds(min(late_s, default=0))} or more"
        proofs.append(f"{said}, one of its own {shown_seconds(own_s)}, and health is at hand" if struck else "")
    return _all(proofs)


async def cut_off(strike: Strike) -> str:
    """From each struck host no port of the dependency answers; from another one does; and the struck programs live."""
    target, there = strike.target, beyond(strike.target)
    ports = target.ports[target.settings.dependency]
    for host in target.hosts:
        knocks = [connects(strike.lab, host, other, port, patience_s=_KNOCK_S) for other in there for port in ports]
        if any(await asyncio.gather(*knocks)):
            return ""
        alive = {state.name for state in await strike.lab.states(host) if state.life == "running"}
        if not alive.issuperset(name for name in target.processes if name.startswith(f"{host}/")):
            return ""
    witnesses = [other for other in target.rest if other not in there]
    heard = [connects(strike.lab, witnesses[-1], other, port, patience_s=_KNOCK_S) for other in there for port in ports[:1]]
    if not any(await asyncio.gather(*heard)):
        return ""
    return f"{target} knocks at {', '.join(there)} in vain, {witnesses[-1]} does not; {', '.join(target.processes)} live"


async def stalled(strike: Strike) -> str:
    """Small files written through to the disk, one after the other, beside others in a file system in memory.

    Half of those on the disk must wait for at least a third of a stall; three quarters of those in memory for less, which tells a
    slow disk from a busy machine.
    """
    long_s, proofs = strike.target.settings.stall / 3, []
    for host in strike.target.hosts:
        on_disk, in_memory = [await _writes_s(strike, host, folder) for folder in ("/var/lib", "/run")]
        struck = on_disk and in_memory and _half(on_disk) >= long_s > in_memory[len(in_memory) * 3 // 4]
        said = f"half of {len(on_disk)} small files on the disk of {host} took {shown_seconds(_half(on_disk))} or more"
        proofs.append(f"{said}, in memory {shown_seconds(_half(in_memory))}" if struck else "")
    return _all(proofs)


def _half(rising_s: list[float]) -> float:
    """Half of them took so long or longer; 0 where there are none."""
    return rising_s[len(rising_s) // 2] if rising_s else 0.0


_WRITES = """
import os, sys, time
for turn in range(12):
    began_s = time.monotonic()
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(file, bytes(4096))
    os.fsync(file)
    os.close(file)
    print(time.monotonic() - began_s)
    time.sleep(0.037)
os.unlink(sys.argv[1])
"""


async def _writes_s(strike: Strike, host: str, folder: str) -> list[float]:
    """How long each took, in rising order.  Their distance lets them fall into the rhythm anywhere."""
    argv = ["python3", "-I", "-S", "-c", _WRITES, f"{folder}/.holdfast-pace"]
    printed = await strike.lab.run(host, argv)
    return sorted(map(float, printed.text.split())) if printed.code == 0 else []


async def starved(strike: Strike) -> str:
    """The kernel counts."""
    proofs = []
    for process in strike.target.processes:
        count = await strike.lab.oom_kills(process)
        proofs.append(f"the kernel's OOM killer struck {process} {count} times" if count else "")
    return _all(proofs)


async def skewed(strike: Strike) -> str:
    """The program's own Date, beside what `date` prints on the same host."""
    wanted = strike.target.settings
    by_s = -wanted.by if wanted.late else wanted.by
    proofs = []
    for instance, questions in zip(strike.instances, strike.questions, strict=True):
        answer = await strike.asker.answer(questions.service) if questions.service else None
        stamp = answer.headers.get("date") if answer else None
        printed = await strike.lab.run(instance.host, ["date", "+%s"])
        if stamp is None or printed.code:
            return ""
        off_s = parsedate_to_datetime(stamp).timestamp() - float(printed.text)
        near = abs(off_s - by_s) <= _CLOCK_TOLERANCE_S
        proofs.append(f"the clock of {instance.name} is off by {off_s:+.0f} s" if near and by_s else "")
    return _all(proofs)


GRAY: Mapping[str, Callable[[Strike], Awaitable[str]]] = {
    "alive_but_wrong": wrong, "slow_answers": slow, "dependency_down": cut_off, "oom": starved, "disk_slow": stalled,
    "clock_skew": skewed,
}  # fmt: skip
