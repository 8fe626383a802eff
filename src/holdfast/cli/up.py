"""`holdfast up`: the service runs until Ctrl-C; `status` and `shell` look into it from another terminal."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.blueprint import Site
from holdfast.cli.running import interruptible, lab_of, leaf, reenter
from holdfast.cli.service import choose_lab, new_folder, sensible, site_for, values_of
from holdfast.drills.observe import Observer
from holdfast.drills.prepare import port_of
from holdfast.drills.steady import first_redundancy
from holdfast.engines.catalogue import ENGINES
from holdfast.errors import MET, Refused
from holdfast.lab import control
from holdfast.lab.publish import listener, publish
from holdfast.lab.verbs import Lab
from holdfast.plan import plan, reach
from holdfast.topology.model import Topology

STEADY_LIMIT_S = 60.0
PASSWORDS = "passwords.env"


def up(arguments: argparse.Namespace) -> int:
    topology = sensible(arguments.topology)
    doors = front_doors(topology)
    if arguments.into:
        folder, listening = Path(arguments.into), [socket.socket(fileno=number) for number in arguments.listen]
        return _keep(topology, site_for(topology, arguments.lab, folder), folder, listening)
    choice = choose_lab(arguments.lab)
    folder = new_folder(arguments.runs, topology.service)
    site = site_for(topology, choice.lab, folder)
    listening = [listener(arguments.publish + index) for index in range(len(doors))] if arguments.publish else []
    if choice.lab == "namespaces":
        return reenter(folder, lab=choice.lab, keep=[each.fileno() for each in listening])
    print(f"lab loopback ({choice.reason})", file=sys.stderr)
    return _keep(topology, site, folder, listening)


def front_doors(topology: Topology) -> tuple[tuple[str, str, int], ...]:
    """(tier, protocol, port) through which the service is used: the balancer's routes, or what a lone tier serves."""
    for name, tier in topology.tiers.items():
        if tier.routes:
            return tuple((name, protocol, port_of(topology, name, protocol) or 0) for protocol in tier.routes)
    found = [(name, protocol) for name, tier in topology.tiers.items() for protocol in ENGINES[tier.engine].SERVES]
    return tuple((name, protocol, port_of(topology, name, protocol) or 0) for name, protocol in found[:1])


def _keep(topology: Topology, site: Site, folder: Path, listening: list[socket.socket]) -> int:
    blueprint = plan(topology, site)
    secrets = values_of(topology, blueprint)
    _write_passwords(folder / PASSWORDS, secrets)

    async def session() -> None:
        print(f"starting {len(blueprint.hosts)} hosts ...", file=sys.stderr)
        async with lab_of(site, blueprint, secrets, folder) as lab, asyncio.TaskGroup() as tasks:
            observer = Observer(topology, site, lab, lambda *_: None)
            tasks.create_task(observer.watch())
            namespaces = getattr(lab, "namespaces_of", None)
            tasks.create_task(control.serve(folder, lambda: _status(topology, lab, observer), namespaces))
            await first_redundancy(lab, observer, topology.service, STEADY_LIMIT_S)
            for each, (tier, _, port) in zip(listening, front_doors(topology), strict=False):
                tasks.create_task(publish(each, reach(topology, site, tier), site.port(port)))
            print(_places(topology, site, lab, folder, listening), flush=True)
            await asyncio.Event().wait()

    try:
        asyncio.run(interruptible(session))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("everything is gone", file=sys.stderr)
    except BaseExceptionGroup as group:
        if leaf(group, KeyboardInterrupt) is None:
            raise leaf(group, Refused) or group from None
    finally:
        (folder / PASSWORDS).unlink(missing_ok=True)
    return MET


def _write_passwords(path: Path, secrets: Mapping[str, str]) -> None:
    """For psql by hand: never on a command line, never in a log."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in secrets.items())


def _places(topology: Topology, site: Site, lab: Lab, folder: Path, listening: list[socket.socket]) -> str:
    lines = [f"{topology.service} is up and could lose any one host.  Ctrl-C ends it.", ""]
    for (tier, protocol, port), each in zip(front_doors(topology), listening, strict=False):
        lines.append(f"  {protocol:9} 127.0.0.1:{each.getsockname()[1]}  (to {tier}, port {site.port(port)})")
    for tier, protocol, port in () if listening else front_doors(topology):
        addresses = ", ".join(reach(topology, site, tier))
        lines.append(f"  {protocol:9} {addresses} port {site.port(port)}, inside the lab; --publish PORT opens it")
    for host in lab.blueprint.hosts:
        programs = ", ".join(process.name.split("/")[1] for process in lab.blueprint.on(host.name)) or "client"
        lines.append(f"  {host.name:9} {host.address:15} zone {host.zone}  {programs}")
    lines += ["", f"  passwords  {folder / PASSWORDS}", f"  logs       {folder / 'logs'}"]
    lines += ["", f"  holdfast status          holdfast shell {lab.blueprint.hosts[0].name}"]
    return "\n".join(lines)


def _status(topology: Topology, lab: Lab, observer: Observer) -> dict[str, Any]:
    standing = observer.standing
    return {
        "schema": "holdfast.status/1",
        "service": topology.service,
        "lab": lab.name,
        "redundant": observer.redundant,
        "missing": list(standing.missing()),
        "instances": [
            {
                "name": instance.name, "host": instance.host, "zone": instance.zone, "tier": instance.tier,
                "address": lab.blueprint.host(instance.host).address,
                "in_service": standing.service[instance.name] or "unanswered", "role": standing.role.get(instance.name, ""),
            }
            for instance in observer.instances
        ],
    }  # fmt: skip


