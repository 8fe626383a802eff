"""etcd: the store whose majority decides who leads.  Pure functions; works with etcd 3.4 and later.

    etcd: {engine: etcd, replicas: 3, on: db}
    etcd: {engine: etcd, replicas: 5, heartbeat: 100ms, election_timeout: 1s}
"""

import json
from collections.abc import Mapping

from holdfast.blueprint import File, Process, Restart, Site
from holdfast.documents import yaml
from holdfast.engines.engine import Actions, Delay, Question, Questions
from holdfast.engines.shared import has_own_config, milliseconds, notice, objection
from holdfast.errors import Problem
from holdfast.quantities import Duration, written_seconds
from holdfast.topology.model import Declared, Instance, Topology

PROGRAMS = ("etcd",)
SERVES: tuple[str, ...] = ()
ROUTES: tuple[str, ...] = ()

CLIENT_PORT = 2379
PEER_PORT = 2380
FILE = "/etc/etcd/etcd.yml"
BESIDE_CONFIG = ("single",)
TUNING = "etcd documentation, Tuning: time parameters"


class Settings(Declared):
    heartbeat: Duration = 0.1
    """How often a leader says that it is there."""
    election_timeout: Duration = 1.0
    """How long its silence is borne."""
    single: bool = False
    """One member on purpose, without redundancy: for trying something out."""


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    settings: Settings = topology.tiers[instance.tier].settings
    host = instance.host
    address = site.address(host, instance.address)
    clients = [f"http://{address}:{site.port(CLIENT_PORT)}"]
    if not site.shares_network:
        clients.append(f"http://127.0.0.1:{site.port(CLIENT_PORT)}")
    members = [
        f"{other.host}=http://{site.address(other.host, other.address)}:{site.port(PEER_PORT)}"
        for other in topology.instances_of(instance.tier)
    ]
    document = {
        "name": host,
        "data-dir": site.path(host, _data(instance)),
        "listen-client-urls": ",".join(clients),
        "advertise-client-urls": clients[0],
        "listen-peer-urls": f"http://{address}:{site.port(PEER_PORT)}",
        "initial-advertise-peer-urls": f"http://{address}:{site.port(PEER_PORT)}",
        "initial-cluster": ",".join(members),
        "initial-cluster-token": f"{topology.service}-{instance.tier}",
        "initial-cluster-state": "new",
        "heartbeat-interval": milliseconds(settings.heartbeat),
        "election-timeout": milliseconds(settings.election_timeout),
        "pre-vote": True,
        "enable-grpc-gateway": True,
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1h",
        "logger": "zap",
        "log-level": "warn",
    }
    return {FILE: File(text=yaml.dump(document, _WHYS, header=notice(instance, topology, site)))}


_WHYS: Mapping[yaml.Path, str] = {
    ("listen-client-urls",): "Plain HTTP: nobody but the hosts of this network may reach it. Add TLS where others can.",
    ("initial-cluster",): "All members, fixed. Read only while the data directory is empty, so a restart is safe.",
    ("heartbeat-interval",): "ms. About the round trip between members; more often only costs CPU.",
    ("election-timeout",): (
        "ms. A silent leader is replaced after one to two of these. Ten heartbeats: a slow disk or a busy CPU must not\n"
        "look like a death, because every election stops the writes of everyone who uses this store."
    ),
    ("pre-vote",): "A member that comes back asks first whether it could win, and so does not depose a healthy leader.",
    ("enable-grpc-gateway",): "Patroni speaks JSON over HTTP; etcd 3.4 turns that off as soon as it has a config file.",
    ("auto-compaction-mode",): "Old revisions are dropped, or the store fills up and refuses writes.",
}


# etcd has no verifier: it is started in the lab that is thrown away, and one that still runs after a second took its file.
_VERIFY = """\
said=$(timeout 1 "$1" --config-file "$2" 2>&1)
[ $? -eq 124 ] || { printf '%s\\n' "$said"; exit 1; }"""


def process(instance: Instance, topology: Topology, site: Site) -> Process:
    host = instance.host
    return Process(
        name=instance.name,
        host=host,
        argv=(site.program("etcd").path, "--config-file", site.path(host, FILE)),
        files=files(instance, topology, site),
        directories={_data(instance): 0o700},
        check=("sh", "-c", _VERIFY, "verify", site.program("etcd").path, site.path(host, FILE)),
        restart=Restart(delay_s=0.1),
    )


def _data(instance: Instance) -> str:
    return f"/var/lib/etcd/{instance.host}"


def delays(tier: str, topology: Topology) -> tuple[Delay, ...]:
    if has_own_config(tier, topology):
        return ()
    settings: Settings = topology.tiers[tier].settings
    timeout_s = settings.election_timeout
    return (
        Delay(
            step="election", name="followers miss the leader",
            low_s=max(0.0, timeout_s - settings.heartbeat), high_s=2 * timeout_s,
            setting="election_timeout", source=f"{TUNING}; raft draws each wait between one and two election timeouts",
        ),
        Delay(step="elected", name="a new leader is elected", low_s=0.005, high_s=0.2, kind="work", source="measured"),
    )


def questions(instance: Instance, topology: Topology) -> Questions:
    return Questions(
        service=Question(host=instance.host, port=CLIENT_PORT, path="/health", read=_read_health),
        role=Question(
            host=instance.host, port=CLIENT_PORT, path="/v3/maintenance/status", read=_read_role, method="POST", body=b"{}",
        ),
    )


def _read_health(status: int, body: bytes) -> str:
    return "yes" if status == 200 and str(_object(body).get("health")).lower() == "true" else "no"


def _read_role(status: int, body: bytes) -> str:
    answer = _object(body)
    header = answer.get("header")
    member = header.get("member_id") if isinstance(header, dict) else None
    if status != 200 or not member:
        return ""
    return "leader" if answer.get("leader") == member else "follower"


def _object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def actions(instance: Instance, topology: Topology) -> Actions:
    return Actions()


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    return (CLIENT_PORT, PEER_PORT)


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    declared = topology.tiers[tier]
    settings: Settings = declared.settings
    found: list[Problem] = []
    if declared.replicas == 1 and not settings.single:
        found.append(objection(
            topology, tier, "replicas", "one etcd member is no majority once it is dead",
            "use 3 replicas, or say `single: true` if you mean it",
        ))
    elif declared.replicas == 2:
        found.append(objection(
            topology, tier, "replicas", "two etcd members cannot outvote a dead third: losing either stops both",
            "add one member",
        ))
    elif declared.replicas % 2 == 0:
        survives = (declared.replicas - 1) // 2
        found.append(objection(
            topology, tier, "replicas",
            f"{declared.replicas} etcd members survive no more losses than {declared.replicas - 1} ({survives}) "
            "and cost one more",
            "add one member, or take one away",
        ))
    if settings.election_timeout < 5 * settings.heartbeat:
        found.append(objection(
            topology, tier, "election_timeout",
            f"an election timeout of {written_seconds(settings.election_timeout)} is less than five heartbeats of "
            f"{written_seconds(settings.heartbeat)}; etcd refuses it",
            f"use {written_seconds(10 * settings.heartbeat)}",
        ))
    return tuple(found)
