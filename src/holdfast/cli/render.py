"""`holdfast render`: the config files of every host, and what each program's own checker says of them.

Checkers run inside lab hosts at production paths, because some bind addresses or connect; where there is no lab or no program
the file is "not checked", never silently.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from holdfast.blueprint import Blueprint, Program, Site
from holdfast.cli.running import interruptible, lab_of, leaf, reenter
from holdfast.cli.service import choose_lab, new_folder, programs_for, sensible, site_for, values_of
from holdfast.engines.catalogue import ENGINES
from holdfast.errors import BAD_INPUT, MET, Problem, Refused
from holdfast.lab import doctor
from holdfast.plan import plan, programs_needed
from holdfast.topology.model import Topology

MARKER = ".holdfast"
"""In the output folder: the files that the last render wrote, so that the next one can take away what is gone."""

REPLACE = """\
# Whoever installs this file must replace each secret://NAME by its value: holdfast writes none into a rendered file.
"""

_PRODUCTION = {
    "postgres": Program(name="postgres", path="/usr/lib/postgresql/16/bin/postgres", version="16", source="assumed"),
    "patroni": Program(name="patroni", path="/usr/bin/patroni", version="4", source="assumed"),
    "etcd": Program(name="etcd", path="/usr/bin/etcd", version="3.5", source="assumed"),
    "envoy": Program(name="envoy", path="/usr/bin/envoy", version="1.36", source="assumed"),
    "haproxy": Program(name="haproxy", path="/usr/sbin/haproxy", version="2.6", source="assumed"),
    "nginx": Program(name="nginx", path="/usr/sbin/nginx", version="1.22", source="assumed"),
    "keepalived": Program(name="keepalived", path="/usr/sbin/keepalived", version="2.2", source="assumed"),
}


def render(arguments: argparse.Namespace) -> int:
    topology = sensible(arguments.topology)
    if arguments.into:
        return _check_inside(topology, Path(arguments.into))
    output = Path(arguments.output)
    blueprint = plan(topology, production_site(topology))
    written = _write(dict(_files(blueprint, topology)), output)
    print(f"{len(written)} files for {len({path.parts[0] for path in written})} hosts in {output}")
    if arguments.no_check:
        print("not checked: --no-check")
        return MET
    return _check(topology)


def production_site(topology: Topology) -> Site:
    """Programs where this machine's packages have them; those of a wheel, or none at all, where packages would put them."""
    found, _ = doctor.find_programs(programs_needed(topology), {})
    programs = {}
    for name in programs_needed(topology):
        here = found.get(name)
        programs[name] = here if here and not here.source.startswith("wheel") else _PRODUCTION[name]
    return Site(lab="production", programs=programs)


def _write(files: dict[Path, tuple[str, int]], output: Path) -> list[Path]:
    """Relative paths of what was written.  Raises Refused rather than touch a folder that is not ours."""
    marker = output / MARKER
    if output.exists() and (not output.is_dir() or (any(output.iterdir()) and not marker.exists())):
        raise Refused(Problem("there is something else already", where=str(output), remedy="name an empty or a new folder"))
    try:
        output.mkdir(parents=True, exist_ok=True)
        if marker.exists():
            for line in marker.read_text().splitlines():
                if Path(line) not in files:
                    (output / line).unlink(missing_ok=True)
        marker.write_text("".join(f"{path}\n" for path in sorted(files)))
        for path, (text, mode) in files.items():
            target = output / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.touch(mode=mode)
            target.write_text(text, "utf-8")
            target.chmod(mode)
    except OSError as error:
        where, remedy = str(error.filename or output), "free space or choose another folder"
        raise Refused(Problem(f"cannot write: {error.strerror}", where=where, remedy=remedy)) from None
    return sorted(files)


def _files(blueprint: Blueprint, topology: Topology) -> Iterator[tuple[Path, tuple[str, int]]]:
    """A file that refers to secrets says who must replace them; one of the user's own stays byte for byte."""
    for process in blueprint.processes:
        for path, file in process.files.items():
            own = any(file.text == texts.get(process.host) for texts in topology.configs.values())
            note = "" if own or not file.holds_secret or not file.text.startswith("#") else REPLACE
            yield Path(process.host + path), (note + file.text, file.mode)


def _check(topology: Topology) -> int:
    try:
        choice = choose_lab("auto")
        programs_for(topology, choice.lab)
    except Refused as refused:
        for problem in refused.problems:
            print(f"not checked: {problem}")
        return MET
    if choice.lab != "namespaces":
        print(f"not checked: a checker wants its host and its production paths, and {choice.reason}")
        return MET
    folder = new_folder("holdfast-runs", f"{topology.service}-render")
    try:
        return reenter(folder)
    finally:
        _forget(folder)


def _forget(folder: Path) -> None:
    """A check leaves no run behind."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _check_inside(topology: Topology, folder: Path) -> int:
    site = site_for(topology, "namespaces", folder)
    blueprint = plan(topology, site)
    results: dict[str, str] = {}

    async def session() -> None:
        async with lab_of(site, blueprint, values_of(topology, blueprint), folder, start=False) as lab:
            for process in blueprint.processes:
                if process.check:
                    said = await lab.run(process.host, process.check, limit_s=30, user=process.user)
                    results[process.name] = "" if said.code == 0 else said.text.strip() or f"exit code {said.code}"

    try:
        asyncio.run(interruptible(session))
    except BaseExceptionGroup as group:
        raise leaf(group, Refused) or group from None
    for process in blueprint.processes:
        programs = ENGINES[process.name.split("/")[1]].PROGRAMS
        program = site.programs.get(programs[0]) if programs else None
        checker = f"{program.name} {program.version} ({program.source})" if program else ""
        if not process.check:
            whose = f"{checker} has" if checker else "a program of your own has"
            print(f"  {process.name:20} not checked: {whose} no checker that holdfast knows")
        elif results[process.name]:
            print(f"  {process.name:20} REFUSED by {checker}:\n{results[process.name]}", file=sys.stderr)
        else:
            print(f"  {process.name:20} accepted by {checker}")
    return BAD_INPUT if any(results.values()) else MET
