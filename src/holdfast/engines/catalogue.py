"""Every engine that holdfast knows: the word that a user writes after `engine:`, and the module that satisfies `Engine`."""

from collections.abc import Mapping
from types import ModuleType

from holdfast.engines import command, envoy, etcd, haproxy, keepalived, nginx, patroni

ENGINES: Mapping[str, ModuleType] = {
    "envoy": envoy,
    "haproxy": haproxy,
    "nginx": nginx,
    "keepalived": keepalived,
    "command": command,
    "patroni": patroni,
    "etcd": etcd,
}
