"""Health of Redis: `Check("cache", Ping(client))`, for redis.Redis and redis.asyncio.Redis, clusters too.

Rules: give the client a `socket_timeout`; its own retries otherwise last longer than a check.  For the length of a queue:
`QueueDepth(lambda: client.llen("jobs"), warn=1000)`.
"""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio

from holdfast.runtime import checks
from holdfast.runtime.health.results import FAIL, PASS, Result

__all__ = ["Ping"]

_CLIENTS = redis.Redis | redis.RedisCluster | redis.asyncio.Redis | redis.asyncio.RedisCluster


class Ping:
    """It answers, and is what is wanted of it: "any", "master" or "slave", in the words of ROLE.  A replica that has lost its
    master fails as "slave".
    """

    dependency = True

    def __init__(self, client: Any, *, role: str = "any"):
        if not isinstance(client, _CLIENTS):
            raise ValueError(f"client is {client!r}; it must be a client of redis-py, plain or asyncio")
        self._client = client
        self._role = checks.one_of("role", role, ("any", "master", "slave"))

    def __call__(self) -> Any:
        said = self._client.ping() if self._role == "any" else self._client.execute_command("ROLE")
        return self._later(said) if hasattr(said, "__await__") else self._judged(said)

    async def _later(self, said: Any) -> Result:
        return self._judged(await said)

    def _judged(self, said: Any) -> Result:
        if self._role == "any":
            return Result(PASS) if said in (True, b"PONG", "PONG") else Result(FAIL, f"answered {said!r:.50} to PING")
        role, *rest = [each.decode() if isinstance(each, bytes) else each for each in said]
        if role != self._role:
            return Result(FAIL, f"is a {role}", role)
        if role == "slave" and len(rest) > 2 and rest[2] != "connected":
            return Result(FAIL, f"its link to the master is in state {rest[2]}", role)
        return Result(PASS, value=role)
