"""Which versions of the programs our own tests and drills ran, and what a version at hand does not know yet."""

import re
from collections.abc import Mapping

from holdfast.blueprint import Program, Site
from holdfast.errors import Problem, Refused

VERIFIED: Mapping[str, tuple[str, ...]] = {
    "nginx": ("1.22",), "haproxy": ("2.6",), "envoy": ("1.40",), "keepalived": ("2.2",),
}
"""Major and minor versions whose checkers accepted every golden file and whose programs stood the drills."""


def version_of(program: Program) -> tuple[int, ...]:
    """`1.22.1` is (1, 22, 1); an assumed `1.22` is (1, 22)."""
    return tuple(map(int, re.findall(r"\d+", program.version)[:3]))


def unverified(engine: str, site: Site) -> str:
    """A line for the top of a file rendered for a version that we did not run, or ""."""
    program = site.programs.get(engine)
    if program is None or engine not in VERIFIED:
        return ""
    if any(version_of(program)[:2] == tuple(map(int, known.split("."))) for known in VERIFIED[engine]):
        return ""
    return f"Unverified with {engine} {program.version}: our drills ran {' and '.join(VERIFIED[engine])}."


def refuse_older(engine: str, site: Site, least: tuple[int, ...], what: str, where: str, remedy: str) -> None:
    """Raises Refused where the program at hand is older than the first version that can do it."""
    program = site.program(engine)
    if version_of(program) < least:
        came = ".".join(map(str, least))
        raise Refused(Problem(f"{engine} {program.version} has no {what}; it came with {came}", where=where, remedy=remedy))
