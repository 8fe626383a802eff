"""sidecar: an Envoy beside each program of a tier, which calls other tiers for it and lets only their callers in.

Nobody writes this tier: `mesh: true` on a tier of `engine: command` adds it, on the same hosts, named after the tier with
`-mesh`.

    front: {engine: command, run: python3 front.py, uses: {pages: {timeout: 2s, retries: 2, retry_budget: 20%}}, mesh: true}
    pages: {engine: command, run: python3 pages.py, replicas: 3, mesh: {prefer_zone: false}}

Calls of a tier that has sidecars too are encrypted, and both sides show a certificate.
"""

from collections.abc import Callable, Mapping

from holdfast.blueprint import File, Process, Restart, Site
from holdfast.engines import envoy, mesh
from holdfast.engines.engine import Actions, Delay, Question, Questions
from holdfast.engines.envoy import live
from holdfast.engines.shared import objection
from holdfast.engines.sidecar import render
from holdfast.engines.sidecar.settings import Settings, as_envoy
from holdfast.errors import Problem
from holdfast.topology.model import Instance, Topology

__all__ = [
    "BESIDE_CONFIG", "FILE", "PROGRAMS", "ROUTES", "SERVES", "Settings",
    "actions", "delays", "files", "objections", "ports", "process", "questions",
]

PROGRAMS = ("envoy",)
SERVES: tuple[str, ...] = ()
ROUTES: tuple[str, ...] = ()
FILE = ""
BESIDE_CONFIG: tuple[str, ...] = ()


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    return render.files(instance, topology, site)


def process(instance: Instance, topology: Topology, site: Site) -> Process:
    settings: Settings = topology.tiers[instance.tier].settings
    program = site.program("envoy").path
    path = site.path(instance.host, render.FILE)
    return Process(
        name=instance.name,
        host=instance.host,
        argv=envoy.argv(program, path, settings.workers),
        files=files(instance, topology, site),
        check=envoy.verifying(program, path),
        restart=Restart(delay_s=0.1),
    )


def delays(tier: str, topology: Topology) -> tuple[Delay, ...]:
    return envoy.timers(as_envoy(topology.tiers[tier].settings), starts="the sidecar starts")


def questions(instance: Instance, topology: Topology) -> Questions:
    def asked(path: str, read: Callable[[int, bytes], str]) -> Question:
        return Question(host=instance.host, port=mesh.ADMIN_PORT, path=path, inside=True, read=read)

    return Questions(
        service=asked("/ready", lambda status, body: "yes" if status == 200 and body.strip() == b"LIVE" else "no"),
        reached=asked("/clusters", live.read_reached), rotation=asked("/clusters", live.read_rotation),
    )


def actions(instance: Instance, topology: Topology) -> Actions:
    lets_in = mesh.callers(topology.bearer(instance.tier), topology)
    return Actions(
        watches=tuple(f"{render.FOLDER}/{name}" for name in ("clusters.yaml", "listeners.yaml", "endpoints/", "tls/site.pem")),
        agrees=lambda files: live.agrees(files, instance.host, mesh.ADMIN_PORT),
        certificate=render.CERTIFICATE if lets_in else "",
    )


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    bearer = topology.bearer(tier)
    if not bearer:
        return ()
    inbound = (mesh.INBOUND_PORT,) if mesh.callers(bearer, topology) else ()
    return (mesh.ADMIN_PORT, *inbound, *mesh.towards(bearer, topology).values())


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    bearer = topology.bearer(tier)
    if not bearer:
        remedy = "write `mesh: true` on the tier that it is for"
        return (objection(topology, tier, "engine", "a sidecar is no tier of its own", remedy),)
    declared = topology.tiers[bearer]
    if declared.engine != "command":
        what = f"{bearer} is {declared.engine}: sidecars stand beside programs of engine: command"
        remedy = "remove `mesh:`" + ("; a balancer encrypts by `tls:`" if declared.routes else "")
        return (objection(topology, bearer, "mesh", what, remedy),)
    if not mesh.towards(bearer, topology) and not mesh.callers(bearer, topology):
        called = [name for name in declared.uses if name in topology.tiers]
        what = f"the sidecars of {bearer} would have nothing to do: it calls no program"
        what += f" ({', '.join(called)} is not reached through a sidecar)" if called else ""
        remedy = "name a tier of engine: command under its `uses:`, give its callers `mesh: true`, or remove `mesh:`"
        return (objection(topology, bearer, "mesh", f"{what}, and no tier with `mesh:` calls it", remedy),)
    found = []
    for key in ("check_interval", "check_timeout", "connect_timeout", "hedge_after"):
        if getattr(topology.tiers[tier].settings, key) < 0.001:
            found.append(objection(topology, tier, key, f"{key} must be at least 1ms", "use 250ms"))
    return tuple(found)
