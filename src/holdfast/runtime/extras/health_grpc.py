"""gRPC's health protocol (grpc.health.v1, Check and Watch) over a Health: `add_to_server(health, server)`, for grpc.Server and
grpc.aio.Server.

Rules: the empty service name is readiness; `liveness`, `readiness` and `startup` are these; every other name is looked up in
`services`, which maps it to the check or group that decides it.  Check of an unknown name is NOT_FOUND, Watch tells
SERVICE_UNKNOWN and goes on, as the protocol says.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from holdfast.runtime import checks
from holdfast.runtime.health.check import KINDS

if TYPE_CHECKING:
    from holdfast.runtime.health.health import Health

__all__ = ["AsyncHealthServicer", "HealthServicer", "add_to_server"]

_STATUS = health_pb2.HealthCheckResponse
_UNKNOWN: int = _STATUS.SERVICE_UNKNOWN


def add_to_server(health: Health, server: Any, *, services: Mapping[str, str] | None = None, every_s: float = 1.0) -> None:
    """ValueError when readiness was forgotten, or `services` names what is no group and no check of readiness."""
    kind = AsyncHealthServicer if isinstance(server, grpc.aio.Server) else HealthServicer
    health_pb2_grpc.add_HealthServicer_to_server(kind(health, services=services, every_s=every_s), server)


class _Servicer:
    def __init__(self, health: Health, *, services: Mapping[str, str] | None = None, every_s: float = 1.0):
        health.validate()
        ready = [check.name for check in health.checks if "readiness" in check.kind]
        known = {*ready, *(group.name for group in health.groups)}
        for service, what in (services or {}).items():
            checks.one_of(f"services[{service!r}]", what, sorted(known))
        self._health = health
        self._services = dict(services or {})
        self._every_s = checks.number("every_s", every_s, low=0.01, high=3600.0)

    def _question(self, service: str) -> dict[str, Any] | None:
        if service in ("", *KINDS):
            return {"kind": service or "readiness"}
        only = self._services.get(service)
        return None if only is None else {"kind": "readiness", "only": only}


class HealthServicer(_Servicer, health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """For grpc.server.  Each Watch holds a thread of the server's pool, as every stream does there."""

    def _status(self, service: str) -> int:
        question = self._question(service)
        if question is None:
            return _UNKNOWN
        return int(_STATUS.SERVING if self._health.ask(**question).ok else _STATUS.NOT_SERVING)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        status = self._status(request.service)
        if status == _UNKNOWN:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return _STATUS(status=status)

    def Watch(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        ended = threading.Event()
        said = None
        if not context.add_callback(ended.set):
            return
        while not ended.is_set():
            status = self._status(request.service)
            if status != said:
                said = status
                yield _STATUS(status=status)
            ended.wait(self._every_s)


class AsyncHealthServicer(_Servicer, health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """For grpc.aio.server."""

    async def _status(self, service: str) -> int:
        question = self._question(service)
        if question is None:
            return _UNKNOWN
        return int(_STATUS.SERVING if (await self._health.aask(**question)).ok else _STATUS.NOT_SERVING)

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        status = await self._status(request.service)
        if status == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return _STATUS(status=status)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        said = None
        while True:
            status = await self._status(request.service)
            if status != said:
                said = status
                yield _STATUS(status=status)
            await asyncio.sleep(self._every_s)
