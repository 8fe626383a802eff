"""What several verbs need: a topology that makes sense, a place to run it, secrets, and a folder for the run."""

import os
import secrets as chance
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import IPv4Address
from pathlib import Path

from holdfast.blueprint import Blueprint, Program, Site
from holdfast.cli.certificates import authority, of_mesh, stapled
from holdfast.drills import changing, drill, prepare
from holdfast.engines import mesh
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.tls import SUFFIX, next_secret_of, staple_of
from holdfast.errors import Problem, Refused
from holdfast.faults.catalogue import FAULTS
from holdfast.lab import doctor
from holdfast.plan import examine, programs_needed
from holdfast.probes.settings import PROBES
from holdfast.topology.changing import Change
from holdfast.topology.check import check, countable, unsound
from holdfast.topology.load import Kinds, load
from holdfast.topology.model import Topology
from holdfast.topology.wording import in_order

ONE_MACHINE = (
    "One kernel, one disk, one clock: contention and clock drift between machines do not show.",
    "A host that lost power here keeps its page cache, so \"no lost writes\" says nothing about fsync.",
    "Outages made of timers transfer to production; those made of work (recovery, cold caches, large data) do not.",
    "The network between hosts has no delay and no loss unless a drill adds it.",
)
LOWER_FIDELITY = (
    "Lower fidelity: hosts share one network stack and one file system, on addresses of this machine's loopback network.",
    "No host can lose its power or its network here, and no virtual IP moves.",
)


def kinds() -> Kinds:
    return Kinds(
        engines={name: engine.Settings for name, engine in ENGINES.items()}, probes=PROBES,
        faults={name: fault.settings for name, fault in FAULTS.items()},
        protocols=frozenset(protocol for engine in ENGINES.values() for protocol in engine.SERVES),
    )  # fmt: skip


def sensible(path: str, changes: Sequence[Change] = ()) -> Topology:
    """changes: values to be taken instead of those in the file.  Raises Refused with every problem that the file has,
    whoever found it."""
    topology, problems = _judged(path, changes)
    if countable(topology):
        topology = _with_later(topology, problems)
        problems += [*drill.objections(topology), *changing.objections_of_all(topology)]
    if problems:
        raise Refused(in_order(problems))
    return topology


def _judged(path: Path | str, changes: Sequence[Change] = ()) -> tuple[Topology, list[Problem]]:
    """A topology without its drills, and what makes no sense in it."""
    topology = load(Path(path), kinds(), changes)
    problems = [*check(topology)]
    if countable(topology):
        problems += [*examine(topology, unsound(topology)), *prepare.objections(topology)]
    return topology, problems


def _with_later(topology: Topology, problems: list[Problem]) -> Topology:
    """With every topology that a `config_change` of its drills leads to; what is wrong with one of them is added."""
    later: dict[str, Topology] = {}
    for each in topology.drills:
        to = each.settings.to if each.fault == "config_change" and each.settings else None
        if to is None or to in later:
            continue
        try:
            other, wrong = _judged(topology.folder / to)
            problems += wrong
            later[to] = other
        except Refused as refused:
            problems += refused.problems
    return replace(topology, later=later)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which lab, and why not the better one."""

    lab: str
    reason: str = ""


def choose_lab(asked: str) -> Choice:
    """Raises Refused where the lab that was asked for cannot be had."""
    machine = doctor.machine()
    if not machine.is_linux:
        remedy = "use `check` and `render` here, and drill on Linux"
        raise Refused(Problem("labs run on Linux only", where=sys.platform, remedy=remedy))
    if asked == "loopback":
        return Choice(lab="loopback", reason="asked for")
    if not machine.namespaces_refused:
        return Choice(lab="namespaces")
    if asked == "namespaces":
        raise Refused(
            Problem(
                f"this machine allows no namespaces: {machine.namespaces_refused}", where="--lab namespaces",
                remedy=machine.remedy,
            )
        )  # fmt: skip
    return Choice(lab="loopback", reason=machine.namespaces_refused)


def programs_for(topology: Topology, lab: str) -> dict[str, Program]:
    """Raises Refused with every program that is missing."""
    own = {
        ENGINES[tier.engine].PROGRAMS[0]: topology.folder / tier.program
        for tier in topology.tiers.values() if tier.program and ENGINES[tier.engine].PROGRAMS
    }  # fmt: skip
    every = [name for each in (topology, *topology.later.values()) for name in programs_needed(each)]
    needed = [name for name in dict.fromkeys(every) if not (lab == "loopback" and name == "keepalived")]
    programs, missing = doctor.find_programs(needed, own)
    if missing:
        raise Refused(missing.values())
    return programs


def site_for(topology: Topology, lab: str, folder: Path) -> Site:
    """Raises Refused with every program that is missing."""
    programs = programs_for(topology, lab)
    if lab == "namespaces":
        return Site(lab="namespaces", programs=programs)
    return Site(
        lab="loopback", programs=programs, prefix=str(folder / "hosts"), shares_network=True, low_ports=_low_ports(),
        addresses=loopback_addresses(topology, folder),
    )  # fmt: skip


def loopback_addresses(topology: Topology, folder: Path) -> dict[str, str]:
    """Every host's place on 127.0.0.0/8: the declared address with another network in front, drawn from the run's folder."""
    digest = sha256(str(folder).encode()).digest()
    base = (127 << 24) | ((1 + digest[0] % 250) << 16) | (digest[1] << 8)
    first = int(topology.network.network_address)
    places = [place for each in (topology, *topology.later.values()) for place in each.places]
    return {place.name: str(IPv4Address(base + (int(IPv4Address(place.address)) - first) % 256)) for place in places}


def _low_ports() -> bool:
    with socket.socket() as attempt:
        try:
            attempt.bind(("127.0.0.2", 0))
            with socket.socket() as low:
                low.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                low.bind(("127.255.255.254", 79))
        except OSError:
            return False
    return True


def values_of(topology: Topology, blueprint: Blueprint) -> dict[str, str]:
    """The secrets: those that the user named, from where they are; the others made anew for this run."""
    found: dict[str, str] = of_mesh(topology, blueprint)
    problems = []
    signing = authority() if any(_certificate_for(name, topology) for name in blueprint.secrets) else None
    # A certificate of the user's own that replaces another in a drill stands in no file.
    spare = [name for name in topology.secrets if name.endswith((f"{SUFFIX}-next", f"{mesh.SUFFIX}{mesh.NEXT}"))]
    answers = {staple_of(tier) + end for tier in topology.tiers for end in ("", mesh.NEXT)}
    for name in (each for each in (*blueprint.secrets, *spare) if each not in found and each not in answers):
        source = topology.secrets.get(name, {})
        where = topology.located("secrets", name)
        try:
            if path := source.get("file"):
                found[name] = (topology.folder / path).read_text().strip()
            elif variable := source.get("env"):
                found[name] = os.environ[variable]
            elif signing and (tier := _certificate_for(name, topology)):
                bearing = bearers(tier, topology, blueprint)
                found |= {name: signing.bundle(*bearing), next_secret_of(tier): signing.bundle(*bearing)}
            else:
                found[name] = chance.token_urlsafe(18)
        except OSError as error:
            what = f"cannot read the secret {name}: {error.strerror}"
            problems.append(Problem(what, where, "correct the path or its permissions"))
        except KeyError as error:
            what = f"the environment has no {error.args[0]}, where the secret {name} should be"
            problems.append(Problem(what, where, "set it"))
    if problems:
        raise Refused(problems)
    return {**found, **stapled(topology, blueprint, found, signing)}


def _certificate_for(secret: str, topology: Topology) -> str:
    """The tier whose certificate this secret is, unless the user named one; else ""."""
    tier = secret.removesuffix(SUFFIX)
    return tier if tier != secret and tier in topology.tiers and not topology.secrets.get(secret) else ""


def bearers(tier: str, topology: Topology, blueprint: Blueprint) -> tuple[list[str], list[str]]:
    """Names and addresses under which clients know this tier."""
    hosts = [each.host for each in topology.instances_of(tier)]
    addresses = [*blueprint.names.get(tier, ()), *(blueprint.host(host).address for host in hosts)]
    return [tier, *hosts], list(dict.fromkeys(addresses))


def new_folder(runs: str, service: str) -> Path:
    """A folder of its own for one run: record, report and logs.  The stamp is UTC."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    base = Path(runs).resolve()
    for attempt in range(100):
        folder = base / (f"{service}-{stamp}" + (f"-{attempt + 1}" if attempt else ""))
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            what = f"cannot make a folder for the run: {error.strerror}"
            raise Refused(Problem(what, str(base), "choose another with --runs")) from None
        return folder
    raise Refused(Problem("a hundred runs in one second", str(base), "wait a moment"))


@contextmanager
def run_folder(runs: str, service: str) -> Iterator[Path]:
    """A new folder; it goes again if nothing was put into it, as when a run is refused before it began."""
    folder = new_folder(runs, service)
    try:
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()


def shown_path(path: Path) -> str:
    """From here, if it is below here."""
    with suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)


def newest(runs: str, name: str | None, file: str) -> Path:
    """The run's folder: a path, a name below `runs`, or the newest one that has `file`."""
    base = Path(runs)
    if name:
        for candidate in (Path(name), base / name):
            if candidate.is_dir() and (candidate / file).exists():
                return candidate
            if candidate.is_file():
                return candidate.parent
        there = sorted((path.parent for path in base.glob(f"*/{file}")), key=lambda path: path.stat().st_mtime, reverse=True)
        names = ", ".join(path.name for path in there[:10]) + (", ..." if len(there) > 10 else "")
        remedy = f"name one of {names}" if there else "name a run's folder or its record.sqlite"
        raise Refused(Problem(f"there is no run {name}", where=str(base), remedy=remedy))
    found: Sequence[Path] = sorted(base.glob(f"*/{file}"), key=lambda path: path.stat().st_mtime)
    if not found:
        remedy = "`holdfast drill TOPOLOGY` makes one; --runs names the folder"
        raise Refused(Problem("there is no run yet", where=str(base), remedy=remedy))
    return found[-1].parent


def described(programs: Mapping[str, object]) -> list[dict[str, str]]:
    keys = ("name", "version", "path", "source")
    return [{key: str(getattr(program, key)) for key in keys} for program in programs.values()]
