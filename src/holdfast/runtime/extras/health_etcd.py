"""Health of etcd by its own /health, with httpx: `Check("etcd1", Member(client, "http://10.0.0.1:2379"))`, one for each member,
in a group with `at_least=2` of three.

Rules: /health makes a linearizable read, so it fails on a member without a leader or a quorum and under an alarm;
`serializable=True` asks whether the member itself is well (etcd documentation, "Monitoring etcd", health check).
"""

from __future__ import annotations

from typing import Any

import httpx

from holdfast.runtime.health.results import FAIL, PASS, Result

__all__ = ["Member"]


class Member:
    dependency = True

    def __init__(self, client: httpx.Client | httpx.AsyncClient, url: str, *, serializable: bool = False):
        if not isinstance(client, httpx.Client | httpx.AsyncClient):
            raise ValueError(f"client is {client!r}; it must be an httpx.Client or an httpx.AsyncClient")
        base = httpx.URL(url)
        if base.scheme not in ("http", "https") or not base.host:
            raise ValueError(f"url is {url!r}; it must be like http://10.0.0.1:2379")
        self._client = client
        self._url = str(base.join("/health")) + ("?serializable=true" if serializable else "")

    def __call__(self) -> Any:
        if isinstance(self._client, httpx.AsyncClient):
            return self._later(self._client)
        return self._judged(self._client.get(self._url))

    async def _later(self, client: httpx.AsyncClient) -> Result:
        return self._judged(await client.get(self._url))

    def _judged(self, reply: httpx.Response) -> Result:
        try:
            said = reply.json()
            well, reason = str(said["health"]) == "true", str(said.get("reason", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return Result(FAIL, f"answered {reply.status_code} and nothing that etcd says")
        if not well:
            return Result(FAIL, f"is not healthy: {reason}" if reason else "is not healthy")
        return Result(PASS)
