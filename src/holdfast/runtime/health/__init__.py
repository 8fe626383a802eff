"""Health of a program: checks that cannot lie, one verdict for balancers, orchestrators and people.

Rules: only the standard library; no thread and no asyncio on import.  Names are looked up when first asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from holdfast.runtime.health.asgi import HealthApp as HealthApp
    from holdfast.runtime.health.asgi import HealthMiddleware as HealthMiddleware
    from holdfast.runtime.health.check import Check as Check
    from holdfast.runtime.health.check import Group as Group
    from holdfast.runtime.health.health import Health as Health
    from holdfast.runtime.health.in_process import BreakerState as BreakerState
    from holdfast.runtime.health.in_process import EventLoopLag as EventLoopLag
    from holdfast.runtime.health.in_process import QueueDepth as QueueDepth
    from holdfast.runtime.health.machine import DiskSpace as DiskSpace
    from holdfast.runtime.health.machine import Memory as Memory
    from holdfast.runtime.health.network import Dns as Dns
    from holdfast.runtime.health.network import Tcp as Tcp
    from holdfast.runtime.health.network import TlsExpiry as TlsExpiry
    from holdfast.runtime.health.results import CheckReport as CheckReport
    from holdfast.runtime.health.results import HealthEvent as HealthEvent
    from holdfast.runtime.health.results import Observation as Observation
    from holdfast.runtime.health.results import Report as Report
    from holdfast.runtime.health.results import Result as Result
    from holdfast.runtime.health.results import Status as Status
    from holdfast.runtime.health.routes import bearer as bearer
    from holdfast.runtime.health.server import HealthServer as HealthServer
    from holdfast.runtime.health.shutdown import GracefulShutdown as GracefulShutdown
    from holdfast.runtime.health.shutdown import grace_for as grace_for
    from holdfast.runtime.health.systemd import Notifier as Notifier
    from holdfast.runtime.health.wsgi import HealthWsgiApp as HealthWsgiApp
    from holdfast.runtime.health.wsgi import HealthWsgiMiddleware as HealthWsgiMiddleware

_HERE = "holdfast.runtime.health."
# One line per exported name: the module in which it lives.
_EXPORTS = {
    "bearer": "routes",
    "BreakerState": "in_process",
    "Check": "check",
    "CheckReport": "results",
    "DiskSpace": "machine",
    "Dns": "network",
    "EventLoopLag": "in_process",
    "grace_for": "shutdown",
    "GracefulShutdown": "shutdown",
    "Group": "check",
    "Health": "health",
    "HealthApp": "asgi",
    "HealthEvent": "results",
    "HealthMiddleware": "asgi",
    "HealthServer": "server",
    "HealthWsgiApp": "wsgi",
    "HealthWsgiMiddleware": "wsgi",
    "Memory": "machine",
    "Notifier": "systemd",
    "Observation": "results",
    "QueueDepth": "in_process",
    "Report": "results",
    "Result": "results",
    "Status": "results",
    "Tcp": "network",
    "TlsExpiry": "network",
}


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import sys

    module = _HERE + _EXPORTS[name]
    __import__(module)
    value = getattr(sys.modules[module], name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
