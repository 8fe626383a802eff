"""Policies around the commands of a redis-py client, plain or asyncio: `guard(redis.Redis(), policy)`.

Rules: commands that only read go through `policy`; all others, which may have been done although the answer was lost, through
`unsafe_policy`.  The client's own retries are switched off, or the two would multiply.  Pipelines, pub/sub and scripts run on
objects of their own and are not covered: put the policy around `pipeline.execute`.  redis-py cannot shorten one command's
timeout, so give the client a `socket_timeout`; a deadline is checked before each command, and the async client is cancelled by
it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.backoff
import redis.retry

from holdfast.runtime.extras.adapting import a_policy, a_single_policy, time_left_s
from holdfast.runtime.retry import Retry

if TYPE_CHECKING:
    from holdfast.runtime.calling import Policy

__all__ = ["READS", "guard", "retry", "unreachable"]

Client = TypeVar("Client")

READS = frozenset("""
    BITCOUNT BITPOS DBSIZE ECHO EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS GEOSEARCH GET GETBIT GETRANGE HEXISTS HGET HGETALL HKEYS
    HLEN HMGET HRANDFIELD HSCAN HSTRLEN HVALS INFO KEYS LINDEX LLEN LPOS LRANGE MGET PEXPIRETIME PFCOUNT PING PTTL RANDOMKEY SCAN
    SCARD SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER SSCAN STRLEN SUNION TIME TTL TYPE XINFO XLEN XPENDING
    XRANGE XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE
    ZREVRANK ZSCAN ZSCORE ZUNION
""".split())  # noqa: SIM905 - seventy quoted words are harder to read


def unreachable(error: Exception) -> bool:
    """For `on=` of the policies: no answer, or a server that is loading, read-only after a failover or without its primary."""
    kinds = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.ReadOnlyError, redis.exceptions.MasterDownError,
             redis.exceptions.TryAgainError)
    return isinstance(error, kinds) and not isinstance(error, redis.AuthenticationError)


def retry(**settings: Any) -> Retry:
    return Retry(**{"on": unreachable, **settings})


def guard(client: Client, policy: Policy, *, unsafe_policy: Policy | None = None) -> Client:
    """The same client, guarded."""
    plain: Any = client
    execute = plain.execute_command

    def chosen(args: tuple[Any, ...]) -> Policy | None:
        time_left_s()  # or it raises
        word = str(args[0]).split(maxsplit=1)[0].upper() if args else ""
        return policy if word in READS else unsafe_policy

    waits = isinstance(client, redis.asyncio.Redis | redis.asyncio.RedisCluster)
    a_policy("policy", policy, "acall" if waits else "call")
    a_single_policy("unsafe_policy", unsafe_policy, "acall" if waits else "call")
    if waits:
        @functools.wraps(execute)
        async def guarded(*args: Any, **options: Any) -> Any:
            chose = chosen(args)
            return await (execute(*args, **options) if chose is None else chose.acall(execute, *args, **options))

        never: Any = redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 0)
    else:
        @functools.wraps(execute)
        def guarded(*args: Any, **options: Any) -> Any:
            chose = chosen(args)
            return execute(*args, **options) if chose is None else chose.call(execute, *args, **options)

        never = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    plain.set_retry(never)
    plain.execute_command = guarded
    return client
