"""`holdfast up`: the service runs until Ctrl-C; other terminals look into it (`status`, `shell`) and break it (`strike`, `mend`).

What is done by hand is recorded and judged as a drill is, and then decides the exit code.
"""

import argparse
import asyncio
import os
import secrets as chance
import socket
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from holdfast.blueprint import Site
from holdfast.cli.by_hand import Notes, kept
from holdfast.cli.look import others_up
from holdfast.cli.running import interruptible, lab_of, leaf, reenter
from holdfast.cli.service import choose_lab, programs_for, run_folder, sensible, shown_path, site_for, values_of
from holdfast.cli.watch import wall_s
from holdfast.drills.observe import Observer
from holdfast.drills.prepare import port_of
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.tls import SUFFIX
from holdfast.errors import MET, Refused
from holdfast.lab import control
from holdfast.lab.publish import listener, publish
from holdfast.lab.verbs import Lab
from holdfast.plan import plan, reach
from holdfast.topology.model import Topology
from holdfast.watch.aggregate import rules_of
from holdfast.watch.targets import of_topology
from holdfast.watch.watch import Watch

PASSWORDS, PGPASS = "passwords.env", "pgpass"

Door = tuple[str, str, int]
"""(tier, protocol, port)"""


def up(arguments: argparse.Namespace) -> int:
    topology = sensible(arguments.topology)
    doors = front_doors(topology)
    arguments.seed = seed = arguments.seed if arguments.seed is not None else chance.randbelow(10**6)
    if arguments.into:
        folder, listening = Path(arguments.into), [socket.socket(fileno=number) for number in arguments.listen]
        return _keep(topology, site_for(topology, arguments.lab, folder), folder, listening, arguments)
    choice = choose_lab(arguments.lab)
    programs_for(topology, choice.lab)  # a missing program is told before anything starts
    listening = [listener(arguments.publish + index) for index in range(len(doors))] if arguments.publish else []
    if arguments.watch:
        listening.append(listener(arguments.watch))
    if others := others_up(arguments.runs):
        print(f"{others[0]} is up as well: `status` and `shell` look into the newest lab of {arguments.runs}", file=sys.stderr)
    with run_folder(arguments.runs, topology.service) as folder:
        if choice.lab == "namespaces":
            return reenter(folder, lab=choice.lab, seed=seed, keep=[each.fileno() for each in listening])
        print(f"lab loopback ({choice.reason})", file=sys.stderr)
        return _keep(topology, site_for(topology, choice.lab, folder), folder, listening, arguments)


def front_doors(topology: Topology) -> tuple[Door, ...]:
    """Through which the service is used: the balancer's routes, or what a lone tier serves."""
    for name, tier in topology.tiers.items():
        if tier.routes:
            return tuple((name, protocol, port_of(topology, name, protocol) or 0) for protocol in tier.routes)
    found = [(name, protocol) for name, tier in topology.tiers.items() for protocol in ENGINES[tier.engine].SERVES]
    return tuple((name, protocol, port_of(topology, name, protocol) or 0) for name, protocol in found[:1])


def doors_of(
    arguments: argparse.Namespace, listening: list[socket.socket]
) -> tuple[list[socket.socket], list[socket.socket]]:
    """Those that are published, and the one of the health page, which is the last."""
    return (listening[:-1], listening[-1:]) if arguments.watch else (listening, [])


def watching(topology: Topology, site: Site) -> Watch:
    """Every instance of the lab, from beside the hosts."""
    places = {place.address: site.address(place.name, place.address) for place in topology.places}

    def where(address: str, port: int) -> tuple[str, int] | None:
        if address not in places and site.shares_network:
            return None  # a virtual address, which nobody holds there
        return places.get(address, address), site.port(port)

    targets = of_topology(topology, every_s=1.0, timeout_s=1.0, where=where)
    return Watch(topology.service, targets, rules_of(topology), wall_s=wall_s)


def _keep(
    topology: Topology, site: Site, folder: Path, listening: list[socket.socket], arguments: argparse.Namespace
) -> int:
    blueprint = plan(topology, site)
    secrets = values_of(topology, blueprint)
    made = {name: value for name, value in secrets.items() if not topology.secrets.get(name) and SUFFIX not in name}
    _write_passwords(topology, folder, made)

    notes: list[Notes] = []

    async def session() -> None:
        print(f"starting {len(blueprint.hosts)} hosts ...", file=sys.stderr)
        async with lab_of(site, blueprint, secrets, folder) as lab, asyncio.TaskGroup() as tasks:
            attending = kept(topology, site, lab, secrets, folder, arguments.seed)
            notes.append(attending.notes)
            standing = partial(standing_of, topology, lab, attending.conductor.observer)
            namespaces = getattr(lab, "namespaces_of", None)
            tasks.create_task(control.serve(folder, standing, namespaces, path_of(site), attending.hand.answer))
            async with attending.conductor.attended() as ask:
                attending.hand.stands(tasks, ask)
                published, watched = doors_of(arguments, listening)
                for each, (tier, _, port) in zip(published, front_doors(topology), strict=False):
                    tasks.create_task(publish(each, reach(topology, site, tier), site.port(port)))
                for each in watched:
                    tasks.create_task(watching(topology, site).serve(each))
                print(places(topology, site, lab, folder, published, made), flush=True)
                for each in watched:
                    print(f"  health     http://127.0.0.1:{each.getsockname()[1]}/", flush=True)
                try:
                    await asyncio.Event().wait()
                finally:
                    await attending.hand.end()
                    attending.notes.end(lab.now_s(), topology.service)

    try:
        asyncio.run(interruptible(session))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("everything is gone", file=sys.stderr)
    except BaseExceptionGroup as group:
        if leaf(group, KeyboardInterrupt) is None:
            raise leaf(group, Refused) or group from None
    finally:
        for name in (PASSWORDS, PGPASS):
            (folder / name).unlink(missing_ok=True)
        record = notes[0].close() if notes else None
    return _judged(record) if record else MET


def _judged(record: Path) -> int:
    from holdfast.cli.drill import shown  # which needs this module

    return shown(record)


def path_of(site: Site) -> str:
    """Where a shell in a host finds psql and patronictl: beside the programs that run there."""
    beside = [str(Path(sys.executable).parent), *(str(Path(program.path).parent) for program in site.programs.values())]
    return ":".join(dict.fromkeys(beside))


def _databases(topology: Topology) -> dict[str, tuple[str, str]]:
    """Tier to database and user of the application."""
    return {
        name: (tier.settings.database, tier.settings.user)
        for name, tier in topology.tiers.items() if "postgres" in ENGINES[tier.engine].SERVES
    }  # fmt: skip


def _write_passwords(topology: Topology, folder: Path, made: Mapping[str, str]) -> None:
    """For psql by hand: never on a command line, never in a log, and none that the user keeps elsewhere."""
    if not made:
        return
    _private(folder / PASSWORDS, "".join(f"{_variable(name)}={value}\n" for name, value in made.items()))
    lines = [
        f"*:*:{database}:{user}:{made[f'{tier}-app']}\n"
        for tier, (database, user) in _databases(topology).items() if f"{tier}-app" in made
    ]  # fmt: skip
    if lines:
        _private(folder / PGPASS, "".join(lines))


def _variable(secret: str) -> str:
    """`db-app` is DB_APP_PASSWORD, a name that a shell can read in."""
    return "".join(letter if letter.isalnum() else "_" for letter in secret.upper()) + "_PASSWORD"


def _private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def places(
    topology: Topology, site: Site, lab: Lab, folder: Path, listening: list[socket.socket], made: Mapping[str, str]
) -> str:
    """What a person can do with the service now."""
    lines = [f"{topology.service} is up and could lose any one host.  Ctrl-C ends it.", ""]
    for (tier, protocol, port), each in zip(front_doors(topology), listening, strict=False):
        lines.append(f"  {protocol:9} 127.0.0.1:{each.getsockname()[1]}  (to {tier}, port {site.port(port)})")
        if protocol == "postgres":
            lines.append(f"            {psql(topology, tier, each.getsockname()[1], folder, made)}")
    for tier, protocol, port in () if listening else front_doors(topology):
        addresses = ", ".join(reach(topology, site, tier))
        lines.append(f"  {protocol:9} {addresses} port {site.port(port)}, inside the lab; --publish PORT opens it")
    for host in lab.blueprint.hosts:
        programs = ", ".join(process.name.split("/")[1] for process in lab.blueprint.on(host.name)) or "client"
        lines.append(f"  {host.name:9} {host.address:15} zone {host.zone}  {programs}")
    lines.append("")
    if made:
        lines.append(f"  passwords  {shown_path(folder / PASSWORDS)}")
    lines += [f"  logs       {shown_path(folder / 'logs')}", ""]
    hint = "" if site.shares_network else f"          holdfast shell {lab.blueprint.hosts[0].name}"
    return "\n".join([*lines, f"  holdfast status{hint}          holdfast strike kill"])


def psql(topology: Topology, tier: str, port: int, folder: Path, made: Mapping[str, str]) -> str:
    """The command line that reaches the database behind this tier."""
    behind = topology.tiers[tier].routes.get("postgres", tier)
    database, user = _databases(topology)[behind]
    file = f"PGPASSFILE={shown_path(folder / PGPASS)} " if f"{behind}-app" in made else ""
    return f"{file}psql -h 127.0.0.1 -p {port} -U {user} {database}"


def standing_of(topology: Topology, lab: Lab, observer: Observer) -> dict[str, Any]:
    """What `holdfast status` is told."""
    standing = observer.standing
    return {
        "schema": "holdfast.status/1",
        "service": topology.service,
        "lab": lab.name,
        "redundant": observer.redundant,
        "missing": list(standing.missing()),
        "hosts": [host.name for host in lab.blueprint.hosts],
        "instances": [
            {
                "name": instance.name, "host": instance.host, "zone": instance.zone, "tier": instance.tier,
                "address": lab.blueprint.host(instance.host).address,
                "in_service": standing.service[instance.name] or "unanswered", "role": standing.role.get(instance.name, ""),
            }
            for instance in observer.instances
        ],
    }  # fmt: skip
