"""How to see how a Patroni member stands, how to switch over, and how long its failovers take."""

import json
from collections.abc import Callable, Mapping
from math import ceil

from holdfast.blueprint import File
from holdfast.documents import yaml
from holdfast.engines.engine import Actions, Delay, Question, Questions, Request
from holdfast.engines.patroni.render import (
    ENVIRONMENT,
    FILE,
    POST_INIT,
    REST_PORT,
    REST_USER,
    SET_PASSWORD,
    shared_settings,
)
from holdfast.engines.patroni.settings import Settings
from holdfast.engines.shared import has_own_config
from holdfast.topology.model import Instance, Topology

NOTICES_LOOPS = 3
"""A member reads what is shared once in each turn of its loop, asks PostgreSQL to reload, and sees in the next what waits for a
restart."""
DOCUMENT = "Patroni documentation, Dynamic configuration settings"


def questions(instance: Instance, topology: Topology) -> Questions:
    tier = topology.tiers[instance.tier]
    return Questions(
        service=Question(
            host=instance.host, port=REST_PORT, path="/health", read=lambda status, _: "yes" if status == 200 else "no",
        ),
        role=Question(host=instance.host, port=REST_PORT, path="/patroni", read=_read_role),
        redundant=Question(
            host=instance.host, port=REST_PORT, path="/cluster", read=_redundant(tier.replicas, tier.settings.synchronous),
        ),
        confirms=lambda _, body: "yes" if _object(body).get("sync_standby") or _object(body).get("quorum_standby") else "no",
        pending=Question(
            host=instance.host, port=REST_PORT, path="/patroni",
            read=lambda _, body: "yes" if _object(body).get("pending_restart") else "no",
        ),
    )


def _read_role(status: int, body: bytes) -> str:
    answer = _object(body)
    if answer.get("state") not in ("running", "streaming", "in archive recovery"):
        return ""
    # Patroni 3 said "master" where Patroni 4 says "primary".
    role = {"master": "primary", "primary": "primary", "replica": "replica"}
    return role.get(str(answer.get("role")), "")


def _redundant(replicas: int, synchronous: int) -> Callable[[int, bytes], str]:
    """One running leader, every other member streaming from it, and as many synchronous ones as promised."""

    def read(status: int, body: bytes) -> str:
        members = _object(body).get("members")
        if status != 200 or not isinstance(members, list) or len(members) != replicas:
            return "no"
        leaders = [member for member in members if member.get("role") == "leader" and member.get("state") == "running"]
        streaming = [member for member in members if member.get("state") == "streaming"]
        confirmed = [member for member in streaming if member.get("role") in ("sync_standby", "quorum_standby")]
        whole = len(leaders) == 1 and len(streaming) == replicas - 1 and len(confirmed) >= synchronous
        return "yes" if whole else "no"

    return read


def _object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def actions(instance: Instance, topology: Topology) -> Actions:
    tier = instance.tier
    credential = (REST_USER, f"{tier}-restapi")

    def switchover(leader: str, candidate: str) -> Request:
        wanted = {"leader": leader, "candidate": candidate} if candidate else {"leader": leader}
        return Request(
            host=leader, port=REST_PORT, path="/switchover", body=json.dumps(wanted).encode(),
            credential=credential,
        )

    def configure(leader: str) -> Request:
        shared = shared_settings(topology.tiers[tier].settings)
        return Request(
            host=leader, port=REST_PORT, path="/config", method="PUT", body=json.dumps(shared).encode(), credential=credential,
        )

    def restart(host: str) -> Request:
        return Request(host=host, port=REST_PORT, path="/restart", body=b"{}", credential=credential)

    return Actions(
        switchover=switchover, inner=("postgres",), reloads="HUP", reloaded="No local configuration items changed",
        at_birth=(ENVIRONMENT, POST_INIT, SET_PASSWORD), agrees=lambda files: _agrees(files, instance.host),
        configure=configure, notices_s=NOTICES_LOOPS * topology.tiers[tier].settings.loop_wait, restart=restart,
        set_password=SET_PASSWORD,
    )


def _agrees(files: Mapping[str, File], host: str) -> Question | None:
    """What the members share outside of their files is what the file would give to a new cluster."""
    document = yaml.load(files[FILE].text)
    wanted = document.get("bootstrap", {}).get("dcs") if isinstance(document, dict) else None
    if wanted is None:  # a config of the user's own that leaves it out
        return None
    return Question(
        host=host, port=REST_PORT, path="/config",
        read=lambda status, body: "yes" if status == 200 and _object(body) == wanted else "no",
    )


def _least_lease_s(store: str, topology: Topology) -> float:
    """etcd grants no shorter lease than one and a half election timeouts (etcd, server/etcdserver/server.go: minTTL)."""
    settings = topology.tiers[store].settings if store in topology.tiers else None
    return ceil(1.5 * getattr(settings, "election_timeout", 0.0))


def delays(tier: str, topology: Topology) -> tuple[Delay, ...]:
    if has_own_config(tier, topology):
        return ()
    settings: Settings = topology.tiers[tier].settings
    ttl_s = max(settings.ttl, _least_lease_s(settings.consensus, topology))
    return (
        Delay(
            step="lease", name="lease of a silent primary expires", low_s=ttl_s - settings.loop_wait, high_s=ttl_s,
            setting="ttl" if ttl_s == settings.ttl else "election_timeout",
            source=f"{DOCUMENT}: ttl, counted from the last renewal, which is up to one loop_wait old",
        ),
        Delay(
            step="revoke", name="etcd withdraws the lease", low_s=0.0, high_s=1.0,
            source="etcd, lease/lessor.go: expired leases are looked for every 500 ms, then revoked by consensus",
        ),
        Delay(
            step="turn", name="next turn of a member's loop", low_s=0.0, high_s=settings.loop_wait, setting="loop_wait",
            source=f"{DOCUMENT}: loop_wait",
        ),
        Delay(
            step="poll", name="dead members are asked how far they are", low_s=0.0, high_s=2.0,
            source="Patroni, ha.py: every member is polled before a race, with a timeout of 2 s",
        ),
        Delay(
            step="promote", name="promotion", low_s=0.1, high_s=0.7, kind="work",
            source="four writes to etcd of 50 ms each at most, pg_ctl, and PostgreSQL's end of recovery with its history file; "
                   "WAL replay adds to it",
        ),
        Delay(
            step="handover", name="the old primary shuts down, looked at once a second", low_s=1.0, high_s=1.0,
            source="Patroni, postgresql/__init__.py: STOP_POLLING_INTERVAL; ha.py: demote waits 1 s for replicas to catch up. "
                   "Each second more that the shutdown takes (a checkpoint of many dirty pages) adds one",
        ),
        Delay(
            step="shutdown", name="its state is read, and the lease given back", low_s=0.0, high_s=0.3, kind="work",
            source="two runs of pg_controldata and one of pg_waldump, of 50 ms each at most, and two writes to etcd",
        ),
        Delay(
            step="recover", name="a crashed primary starts again in place", low_s=0.2, high_s=5.0, kind="work",
            source="measured on small databases; WAL replay adds to it",
        ),
        Delay(
            step="sync_given_up", name="a silent synchronous standby is given up", low_s=settings.standby_timeout / 2,
            high_s=settings.standby_timeout + settings.loop_wait, setting="standby_timeout",
            source="PostgreSQL documentation, Replication: wal_sender_timeout, of which half may have passed; then one loop_wait",
        ),
        Delay(
            step="retry_store", name="a primary without its store steps down", low_s=settings.retry_timeout,
            high_s=settings.loop_wait + settings.retry_timeout + settings.loop_wait, setting="retry_timeout, loop_wait",
            source=f"{DOCUMENT}: retry_timeout; failsafe_mode",
        ),
    )
