"""What Envoy may learn while it runs, in files that it watches: clusters, their endpoints, and listeners.

Envoy reads a static config once, so a server more would cost a restart and with it every connection.  The same listeners and
clusters in files of their own are taken over while it runs, each as soon as a new version is *moved* to its place (a file that
is written in place is not noticed).  Endpoints have files of their own besides: a cluster whose endpoints change goes on, one
that changes itself is made anew.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from holdfast.blueprint import File, Site
from holdfast.documents import yaml
from holdfast.engines.engine import Question
from holdfast.topology.model import Instance

FOLDER = "/etc/envoy"
CLUSTERS = f"{FOLDER}/clusters.yaml"
LISTENERS = f"{FOLDER}/listeners.yaml"
TYPES = "type.googleapis.com/envoy.config"

_KINDS = {
    "endpoints": f"{TYPES}.endpoint.v3.ClusterLoadAssignment",
    "clusters": f"{TYPES}.cluster.v3.Cluster",
    "listeners": f"{TYPES}.listener.v3.Listener",
}
_WHYS: Mapping[yaml.Path, str] = {
    ("dynamic_resources",): "Watched: move a new version of such a file to its place, and it counts without a restart.",
}
_EITHER = "The first of them that has a server: replicas, and without any the primary."
_GONE = "A server that is no longer listed goes at once; the default waits until its check fails as well."


def endpoints_of(cluster: str, folder: str = FOLDER) -> str:
    """Production path of the file with the endpoints of this cluster."""
    return f"{folder}/endpoints/{cluster}.yaml"


def live_files(
    static: Mapping[str, Any], whys: Mapping[yaml.Path, str], boot: str, instance: Instance, site: Site, header: tuple[str, ...]
) -> dict[str, File]:
    """The files of a whole static config, by production path; `boot` is that of the file which Envoy is started with, and the
    others are beside it.

    In the order in which they may be replaced one by one: what is referred to comes before what refers to it.
    """
    resources, host, folder = static["static_resources"], instance.host, boot.rpartition("/")[0]
    listing = {kind: f"{folder}/{kind}.yaml" for kind in ("clusters", "listeners")}
    found: dict[str, File] = {}
    for cluster in (each for each in resources["clusters"] if "load_assignment" in each):
        found[endpoints_of(cluster["name"], folder)] = _resources("endpoints", [cluster["load_assignment"]], {}, header)
    clusters = [_by_file(cluster, host, site, folder) for cluster in resources["clusters"]]
    for kind, members in (("clusters", clusters), ("listeners", resources["listeners"])):
        root = ("static_resources", kind)
        reasons = {("resources", *path_[2:]): why for path_, why in whys.items() if path_[:2] == root}
        if kind == "clusters":
            reasons |= {("resources", index, "ignore_health_on_host_removal"): _GONE for index in range(len(members))}
            reasons |= {("resources", index, "cluster_type"): _EITHER for index in range(len(members))}
        found[listing[kind]] = _resources(kind, members, reasons, header)
    started = {
        "node": {"id": host, "cluster": instance.tier},
        **{key: value for key, value in static.items() if key != "static_resources"},
        "dynamic_resources": {
            "cds_config": _watched(site.path(host, listing["clusters"])),
            "lds_config": _watched(site.path(host, listing["listeners"])),
        },
    }  # fmt: skip
    reasons = {path_: why for path_, why in whys.items() if path_[0] != "static_resources"} | dict(_WHYS)
    found[boot] = File(text=yaml.dump(started, yaml.present(reasons, started), header=header))
    return found


def _watched(path: str) -> dict[str, Any]:
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def _by_file(cluster: Mapping[str, Any], host: str, site: Site, folder: str) -> dict[str, Any]:
    """The cluster, with its endpoints in a file of their own."""
    found: dict[str, Any] = {}
    for key, value in cluster.items():
        if key == "type":
            found["type"] = "EDS"
            found["eds_cluster_config"] = {"eds_config": _watched(site.path(host, endpoints_of(cluster["name"], folder)))}
            found["ignore_health_on_host_removal"] = True
        elif key != "load_assignment":
            found[key] = value
    return found


def _resources(kind: str, members: list[Any], whys: Mapping[yaml.Path, str], header: tuple[str, ...]) -> File:
    """One answer as a control plane would give it; its version is drawn from what it says."""
    resources = [{"@type": _KINDS[kind], **member} for member in members]
    version = sha256(json.dumps(resources, sort_keys=True).encode()).hexdigest()[:12]
    document = {"version_info": version, "resources": resources}
    return File(text=yaml.dump(document, yaml.present(whys, document), header=header))


def versions(files: Mapping[str, File]) -> dict[str, str]:
    """Which version of what these files hold, by the name of Envoy's own statistic."""
    found = {}
    for path, file in files.items():
        line = next((line for line in file.text.splitlines() if line.startswith("version_info: ")), "")
        version = line.removeprefix("version_info: ").strip("'\"")
        if path.endswith("/clusters.yaml") and "/endpoints/" not in path:
            found["cluster_manager.cds.version_text"] = version
        elif path.endswith("/listeners.yaml") and "/endpoints/" not in path:
            found["listener_manager.lds.version_text"] = version
        elif version:
            found[f"cluster.{path.rsplit('/', 1)[-1].removesuffix('.yaml')}.version_text"] = version
    return found


def again(files: Mapping[str, File]) -> Mapping[str, File]:
    """Those that are watched, with the same resources as another version."""
    found = {}
    for path, file in files.items():
        text = re.sub(r"^version_info: '?([0-9a-f]+)'?$", r"version_info: \1-again", file.text, flags=re.MULTILINE)
        if text != file.text:
            found[path] = replace(file, text=text)
    return found


def agrees(files: Mapping[str, File], host: str, port: int) -> Question | None:
    """`yes` once the running program works by these files; nothing to ask where they have no version."""
    wanted = {f'{name}: "{version}"' for name, version in versions(files).items()}
    if not wanted:
        return None

    def read(status: int, body: bytes) -> str:
        lines = set(body.decode(errors="replace").splitlines())
        return "yes" if status == 200 and wanted <= lines else "no"

    return Question(host=host, port=port, path="/stats?filter=version_text", inside=True, read=read)


def read_reached(status: int, body: bytes) -> str:
    """`tier/host` of every server that was sent a request, from `GET /clusters`."""
    return _servers(body, lambda key, value: key == "rq_total" and value != "0")


def read_rotation(status: int, body: bytes) -> str:
    """`tier/host` of every server that counts as healthy, from the same."""
    return _servers(body, lambda key, value: key == "health_flags" and value == "healthy")


def _servers(body: bytes, fits: Callable[[str, str], bool]) -> str:
    names: dict[tuple[str, str], str] = {}
    asked: set[tuple[str, str]] = set()
    for line in body.decode(errors="replace").splitlines():
        words = line.split("::")
        if len(words) != 4:
            continue
        cluster, address, key, value = words
        if key == "hostname":
            names[cluster, address] = value
        elif fits(key, value):
            asked.add((cluster, address))
    return " ".join(sorted(f"{cluster}/{names[cluster, address]}" for cluster, address in asked if (cluster, address) in names))
