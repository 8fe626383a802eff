"""Every engine that holdfast knows: the word that a user writes after `engine:`, and the module that satisfies `Engine`."""

from collections.abc import Mapping
from types import ModuleType

from holdfast.engines import command, envoy, etcd, haproxy, keepalived, nginx, patroni, sidecar

ENGINES: Mapping[str, ModuleType] = {
    "envoy": envoy,
    "haproxy": haproxy,
    "nginx": nginx,
    "keepalived": keepalived,
    "command": command,
    "sidecar": sidecar,
    "patroni": patroni,
    "etcd": etcd,
}
