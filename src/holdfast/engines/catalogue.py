"""Every engine that holdfast knows: the word that a user writes after `engine:`, and the module that satisfies `Engine`."""

from collections.abc import Mapping
from types import ModuleType

from holdfast.engines import command, envoy, etcd, haproxy, keepalived, patroni

ENGINES: Mapping[str, ModuleType] = {
    "envoy": envoy,
    "haproxy": haproxy,
    "keepalived": keepalived,
    "command": command,
    "patroni": patroni,
    "etcd": etcd,
}
