"""Wait for the first full redundancy of a service that just started, or say what is missing and what it printed last."""

import asyncio

from holdfast.drills.observe import Observer
from holdfast.errors import UNSTEADY, Problem, Refused
from holdfast.lab.verbs import Lab

LOOK_S = 0.05
MOST_STARTS = 8
"""A program that was started this often before the service ever stood will not stand at all."""


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
    found = []
    for instance in observer.instances:
        if observer.standing.service[instance.name] != "yes":
            tail = await lab.tail(instance.name, 8)
            printed = f"; it printed last:\n{_indented(tail)}" if tail else "; it printed nothing"
            found.append(
                Problem("never came into service" + printed, where=instance.name, remedy="its whole log is in the run's folder")
            )
    if found:
        return found
    what = f"never became redundant: {'; '.join(observer.standing.missing())}"
    return [Problem(what, where=service, remedy="the logs are in the run's folder")]


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
