"""Wait for the first full redundancy of a service that just started, or say what is missing and what it printed last."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from holdfast.drills.observe import Observer
from holdfast.errors import UNSTEADY, Problem, Refused
from holdfast.lab.verbs import Lab
from holdfast.topology.model import Instance

LOOK_S = 0.05
MOST_STARTS = 8
"""A program that was started this often before the service ever stood will not stand at all."""
_READ_LINES, _SHOWN_LINES, _LONGEST_BLOCK = 160, 12, 30


async def first_redundancy(lab: Lab, observer: Observer, service: str, limit_s: float) -> None:
    """Raises Refused (exit 3): at once for a program that keeps dying, else when the limit is over."""
    until_s = lab.now_s() + limit_s
    looks = 0
    while not observer.redundant:
        looks += 1
        dying = looks % 20 == 0 and await _keeps_dying(lab)
        if dying or lab.now_s() > until_s:
            raise Refused(await _missing(lab, observer, service), exit_code=UNSTEADY)
        await asyncio.sleep(LOOK_S)


async def _keeps_dying(lab: Lab) -> bool:
    for host in lab.blueprint.hosts:
        if any(state.starts >= MOST_STARTS for state in await lab.states(host.name)):
            return True
    return False


async def _missing(lab: Lab, observer: Observer, service: str) -> list[Problem]:
    """First those that died, then those that answered something else; who has only not answered yet may be waiting for them."""
    out = [each for each in observer.instances if observer.standing.service[each.name] != "yes"]
    died = [each for each in out if await _died(lab, each)]
    answers = {each.name: await observer.answered(each) for each in out}
    wrong = [each for each in out if answers[each.name] and each not in died]
    waiting = [each for each in out if not answers[each.name] and each not in died]
    found = [await _told(lab, each, f"keeps ending{_and(answers[each.name])}") for each in died]
    found += [await _told(lab, each, answers[each.name]) for each in wrong]
    if found and waiting:
        remedy = "look at the others first; they may be what is waited for"
        found.append(Problem(f"still starting: {', '.join(each.name for each in waiting)}", where=service, remedy=remedy))
    elif waiting:
        found = [await _told(lab, each, "never answered") for each in waiting]
    if found:
        return found
    what = f"never became redundant: {'; '.join(observer.standing.missing())}"
    return [Problem(what, where=service, remedy="the logs are in the run's folder")]


async def _died(lab: Lab, instance: Instance) -> bool:
    states = [state for state in await lab.states(instance.host) if state.name == instance.name]
    return any(state.starts > 1 or state.life == "gone" for state in states)


def _and(answer: str) -> str:
    return f", and {answer}" if answer else ""


async def _told(lab: Lab, instance: Instance, how: str) -> Problem:
    lines = collapsed((await lab.tail(instance.name, _READ_LINES)).splitlines())[-_SHOWN_LINES:]
    printed = "; it printed last:\n" + "\n".join(f"    {line}" for line in lines) if lines else "; it printed nothing"
    log_of: Callable[[str], Path] | None = getattr(lab, "log_of", None)
    whole = f"its whole log is {_short(log_of(instance.name))}" if log_of else "its whole log is in the run's folder"
    return Problem(f"never came into service: {how}{printed}", where=instance.name, remedy=whole)


def _short(path: Path) -> Path:
    with suppress(ValueError):
        return path.relative_to(Path.cwd())
    return path


def collapsed(lines: list[str]) -> list[str]:
    """A line, or several lines, that come again and again are told once: `no such file  (8 times)`."""
    found: list[str] = []
    at = 0
    while at < len(lines):
        size, times = 1, 1
        for length in range(1, min(_LONGEST_BLOCK, (len(lines) - at) // 2) + 1):
            block, again = lines[at : at + length], 1
            while lines[at + again * length : at + (again + 1) * length] == block:
                again += 1
            if again > 1:
                size, times = length, again
                break
        found += lines[at : at + size]
        if times > 1:
            found[-1] += f"  ({times} times)"
        at += size * times
    return found
