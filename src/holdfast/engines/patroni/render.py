"""Patroni's files: its config, the environment with the secrets, and the script that makes the application's database.

No value of a secret is in any of them: `patroni.env` refers to secrets by name and has mode 0600.
"""

import shlex
from collections.abc import Mapping
from typing import Any

from holdfast.blueprint import SECRET, File, Site
from holdfast.documents import yaml
from holdfast.engines.etcd import CLIENT_PORT
from holdfast.engines.patroni.settings import Settings
from holdfast.engines.shared import milliseconds, notice
from holdfast.topology.model import Instance, Topology

POSTGRES_PORT = 5432
REST_PORT = 8008
REST_USER = "patroni"
FILE = "/etc/patroni/config.yml"
ENVIRONMENT = "/etc/patroni/patroni.env"
POST_INIT = "/etc/patroni/post_init.sh"
SET_PASSWORD = "/etc/patroni/set_password.sh"
SOCKETS = "/var/run/postgresql"
HOME = "/var/lib/postgresql"


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    document = _document(instance, topology, site)
    return {
        FILE: File(text=yaml.dump(document, yaml.present(_WHYS, document), header=notice(instance, topology, site))),
        ENVIRONMENT: File(text=_environment(instance, topology, site), mode=0o600),
        POST_INIT: File(text=_post_init(instance, topology, site), mode=0o755),
        SET_PASSWORD: File(text=_set_password(instance, topology, site), mode=0o755),
    }


def data_directory(site: Site) -> str:
    """The production path of PGDATA, where Debian's packages have it."""
    return f"{HOME}/{site.program('postgres').version.split('.')[0]}/main"


def _document(instance: Instance, topology: Topology, site: Site) -> dict[str, Any]:
    settings: Settings = topology.tiers[instance.tier].settings
    host = instance.host
    address = site.address(host, instance.address)
    postgres_port = site.port(POSTGRES_PORT)
    rest = f"{address}:{site.port(REST_PORT)}"
    stores = topology.instances_of(settings.consensus)
    initdb = [{"encoding": "UTF8"}, {"locale": "C"}, {"auth-local": "scram-sha-256"}, {"auth-host": "scram-sha-256"}]
    postgresql: dict[str, Any] = {
        "listen": f"{address}:{postgres_port}" if site.shares_network else f"{address},127.0.0.1:{postgres_port}",
        "connect_address": f"{address}:{postgres_port}",
        "data_dir": site.path(host, data_directory(site)),
        "bin_dir": site.directory_of("postgres"),
        "pgpass": site.path(host, f"{HOME}/.pgpass-patroni"),
        "authentication": {
            "superuser": {"username": "postgres"},
            "replication": {"username": "replicator"},
            "rewind": {"username": "rewinder"},
        },
        "basebackup": [{"checkpoint": "fast"}],
        "remove_data_directory_on_rewind_failure": True,
        "remove_data_directory_on_diverged_timelines": True,
        "parameters": {"unix_socket_directories": site.path(host, SOCKETS)},
        "pg_hba": _access(topology, site),
    }
    if site.shares_network:
        # A socket's path may have 107 bytes, which a prefix easily exceeds: TCP only.  And what a killed PostgreSQL leaves
        # in the machine's /dev/shm nobody would remove: files in PGDATA instead.
        postgresql["parameters"] = {"unix_socket_directories": "", "dynamic_shared_memory_type": "mmap"}
    else:
        postgresql |= {"use_unix_socket": True, "use_unix_socket_repl": True}
    return {
        "scope": f"{topology.service}-{instance.tier}",
        "name": host,
        "restapi": {"listen": rest, "connect_address": rest},
        "etcd3": {"hosts": [f"{site.address(store.host, store.address)}:{site.port(CLIENT_PORT)}" for store in stores]},
        "bootstrap": {
            "dcs": shared_settings(settings),
            "initdb": [*initdb, "data-checksums"],
            "post_init": shlex.quote(site.path(host, POST_INIT)),
        },
        "postgresql": postgresql,
    }


def shared_settings(settings: Settings) -> dict[str, Any]:
    """What every member of the cluster shares, kept in etcd."""
    synchronous: dict[str, Any] = {}
    if settings.synchronous:
        synchronous = {"synchronous_mode": True, "synchronous_node_count": settings.synchronous}
    return {
        "ttl": int(settings.ttl),
        "loop_wait": int(settings.loop_wait),
        "retry_timeout": int(settings.retry_timeout),
        "maximum_lag_on_failover": 1048576,
        "primary_start_timeout": int(settings.primary_start_timeout),
        "failsafe_mode": settings.failsafe,
        **synchronous,
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": {
                "max_connections": settings.max_connections,
                "password_encryption": "scram-sha-256",
                "wal_log_hints": "on",
                "wal_keep_size": "128MB",
                "wal_retrieve_retry_interval": "500ms",
                "wal_sender_timeout": f"{milliseconds(settings.standby_timeout)}ms",
                "wal_receiver_timeout": "5s",
                "tcp_keepalives_idle": 5,
                "tcp_keepalives_interval": 1,
                "tcp_keepalives_count": 3,
                **settings.parameters,
            },
        },
    }


def _access(topology: Topology, site: Site) -> list[str]:
    """pg_hba.conf: passwords for everyone, and nobody from outside of the service's network."""
    network = "127.0.0.0/8" if site.shares_network else str(topology.network)
    local = [] if site.shares_network else ["local all all scram-sha-256", "local replication replicator scram-sha-256"]
    loopback = [] if site.shares_network else ["127.0.0.1/32"]
    return [
        *local,
        *(f"host {database} {user} {source} scram-sha-256"
          for source in (*loopback, network) for database, user in (("all", "all"), ("replication", "replicator"))),
    ]


_DCS = ("bootstrap", "dcs")
_PARAMETERS = (*_DCS, "postgresql", "parameters")
_WHYS: Mapping[yaml.Path, str] = {
    ("name",): "The host's name; passwords come from patroni.env, which the service manager puts into the environment.",
    ("restapi",): "Reading is open to the balancers' checks; writes need the user and password of patroni.env.",
    ("etcd3", "hosts"): "Every member, so that losing one is not noticed.",
    (*_DCS,): "Read once, when the cluster is made; later changes go through `patronictl edit-config`.",
    (*_DCS, "ttl"): "s. How long a primary that fell silent is waited for. Patroni allows no less than 20.",
    (*_DCS, "loop_wait"): "s. How often each member looks: a dead PostgreSQL is noticed within this time.",
    (*_DCS, "retry_timeout"): "s. loop_wait + 2 * retry_timeout must fit into ttl, or retrying loses the lease.",
    (*_DCS, "primary_start_timeout"): "s. 0: hand over at once rather than wait for a crashed primary to recover.",
    (*_DCS, "failsafe_mode"): "When etcd is gone the primary goes on as long as every member answers it, instead of stopping.",
    (*_DCS, "synchronous_mode"): "A commit is acknowledged when a standby has it too, and only such a standby may take over.",
    (*_DCS, "synchronous_node_count"): "With fewer standbys than this left, Patroni lowers it rather than stop the writes.",
    (*_DCS, "postgresql", "use_pg_rewind"): "An old primary comes back in seconds instead of being copied anew.",
    (*_PARAMETERS, "wal_log_hints"): "pg_rewind needs it.",
    (*_PARAMETERS, "wal_keep_size"): "A standby that was away for a moment can catch up, also from a new primary.",
    (*_PARAMETERS, "wal_retrieve_retry_interval"): "The default of 5 s delays a standby's first connection to a new primary.",
    (*_PARAMETERS, "wal_sender_timeout"): (
        "A lost synchronous standby holds every commit until it is given up: the default would be 60 s."
    ),
    (*_PARAMETERS, "wal_receiver_timeout"): "A standby notices a primary that fell silent; the default is 60 s.",
    (*_PARAMETERS, "tcp_keepalives_idle"): "s. Sessions of clients that vanished end after 8 s instead of two hours.",
    ("bootstrap", "post_init"): "Makes the application's user and database, once.",
    ("postgresql", "basebackup"): "A copy starts at once; the default waits for a checkpoint spread over minutes.",
    ("postgresql", "remove_data_directory_on_rewind_failure"): "A member that cannot be rewound is copied anew without a person.",
    ("postgresql", "use_unix_socket"): "Patroni must see its own PostgreSQL when the network is away.",
    ("postgresql", "pg_hba"): "Passwords for all, and nobody from outside of the service's network.",
}


def _environment(instance: Instance, topology: Topology, site: Site) -> str:
    tier = instance.tier
    variables = {
        "PATRONI_SUPERUSER_PASSWORD": f"{SECRET}{tier}-superuser",
        "PATRONI_REPLICATION_PASSWORD": f"{SECRET}{tier}-replication",
        "PATRONI_REWIND_PASSWORD": f"{SECRET}{tier}-rewind",
        "PATRONI_RESTAPI_USERNAME": REST_USER,
        "PATRONI_RESTAPI_PASSWORD": f"{SECRET}{tier}-restapi",
        "HOLDFAST_APP_PASSWORD": f"{SECRET}{tier}-app",
    }
    comments = [f"# {line}" for line in notice(instance, topology, site)]
    return "\n".join([*comments, *(f"{name}={value}" for name, value in variables.items())]) + "\n"


def _post_init(instance: Instance, topology: Topology, site: Site) -> str:
    settings: Settings = topology.tiers[instance.tier].settings
    comments = [f"# {line}" for line in notice(instance, topology, site)]
    psql = shlex.quote(f"{site.directory_of('postgres')}/psql")
    names = f"-v name={shlex.quote(settings.user)} -v database={shlex.quote(settings.database)}"
    return "\n".join([
        "#!/bin/sh",
        *comments,
        "# Patroni calls this once, on the first primary, with the connection string as the only argument.",
        "# The password comes from the environment, never from an argument that `ps` would show.",
        "set -eu",
        ': "${HOLDFAST_APP_PASSWORD:?is missing from patroni.env}"',
        f'exec {psql} -X -q -v ON_ERROR_STOP=1 {names} -d "$1" <<\'SQL\'',
        "\\set password `printenv HOLDFAST_APP_PASSWORD`",
        "SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', :'name', :'password')",
        " WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \\gexec",
        "SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'name')",
        " WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \\gexec",
        "SQL",
        "",
    ])


def _set_password(instance: Instance, topology: Topology, site: Site) -> str:
    settings: Settings = topology.tiers[instance.tier].settings
    host = instance.host
    comments = [f"# {line}" for line in notice(instance, topology, site)]
    psql = shlex.quote(f"{site.directory_of('postgres')}/psql")
    address = site.address(host, instance.address) if site.shares_network else "127.0.0.1"
    return "\n".join([
        "#!/bin/sh",
        *comments,
        "# Gives the application's user the password that patroni.env has now. Run it on the primary, as the user of PostgreSQL.",
        "# Passwords come from that file and travel in the environment: `ps` shows none, and what runs here logs no statement.",
        "set -eu",
        "of() {",
        f"    sed -n \"s/^$1=//p\" {shlex.quote(site.path(host, ENVIRONMENT))} | sed 's/^\"\\(.*\\)\"$/\\1/'",
        "}",
        "PGPASSWORD=$(of PATRONI_SUPERUSER_PASSWORD)",
        "HOLDFAST_APP_PASSWORD=$(of HOLDFAST_APP_PASSWORD)",
        ': "${HOLDFAST_APP_PASSWORD:?is missing from patroni.env}"',
        "export PGPASSWORD HOLDFAST_APP_PASSWORD",
        f"exec {psql} -X -q -v ON_ERROR_STOP=1 -v name={shlex.quote(settings.user)} \\",
        f"    -h {address} -p {site.port(POSTGRES_PORT)} -U postgres -d postgres <<'SQL'",
        "\\set password `printenv HOLDFAST_APP_PASSWORD`",
        "SET log_statement = 'none';",
        "SET log_min_duration_statement = -1;",
        "SET log_min_error_statement = 'panic';",
        "ALTER ROLE :\"name\" PASSWORD :'password';",
        "SQL",
        "",
    ])
