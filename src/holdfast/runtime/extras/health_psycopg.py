"""Health of PostgreSQL with psycopg: `Check("database", Ping(pool.connection))`, `Check("standby", ReplicationLag(...))`.

Rules: `connect` gives a context manager of a connection, plain or async: `pool.connection`, `lambda: psycopg.connect(dsn)`,
`lambda: psycopg.AsyncConnection.connect(dsn)`.  Nothing is written.  A statement ends at the server after `statement_s`, so that
a check that is given up does not go on there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.runtime import checks
from holdfast.runtime.health.in_process import limits, measured
from holdfast.runtime.health.results import FAIL, PASS, WARN, Result

__all__ = ["Ping", "ReplicationLag"]

_PING = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'"
# Everything received and replayed is no lag, however long ago the last transaction was.  Of pg_stat_wal_receiver an ordinary role
# sees only that there is a row.  Source: PostgreSQL manual, sections 9.28.4 and 28.2.6.
_LAG = """
    SELECT pg_is_in_recovery(), EXISTS (SELECT pid FROM pg_stat_wal_receiver),
    CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8
"""


class _Asks:
    dependency = True
    _statement = ""

    def __init__(self, connect: Callable[[], Any], statement_s: float):
        self._connect = checks.function("connect", connect)
        limit_ms = int(1000 * checks.number("statement_s", statement_s, low=0.001, high=300.0))
        self._limit = f"SET LOCAL statement_timeout = {limit_ms}"

    def __call__(self) -> Any:
        connection = self._connect()
        if hasattr(connection, "__enter__"):
            with connection as opened, opened.transaction():
                opened.execute(self._limit)
                return self._judged(opened.execute(self._statement).fetchone())
        return self._later(connection)

    async def _later(self, connection: Any) -> Result:
        if not hasattr(connection, "__aenter__"):
            connection = await connection
        async with connection as opened, opened.transaction():
            await opened.execute(self._limit)
            return self._judged(await (await opened.execute(self._statement)).fetchone())

    def _judged(self, row: Any) -> Result:
        raise NotImplementedError


class Ping(_Asks):
    """The server answers and is what is wanted of it: "any", "primary" (a server that takes writes) or "standby"."""

    _statement = _PING

    def __init__(self, connect: Callable[[], Any], *, role: str = "any", statement_s: float = 1.5):
        super().__init__(connect, statement_s)
        self._role = checks.one_of("role", role, ("any", "primary", "standby"))

    def _judged(self, row: Any) -> Result:
        standby, read_only = row
        is_now = "standby" if standby else "primary"
        if self._role == "primary" and (standby or read_only):
            why = "is a standby" if standby else "is set to read only"
            return Result(FAIL, f"takes no writes: it {why}", is_now)
        if self._role == "standby" and not standby:
            return Result(FAIL, "is the primary", is_now)
        return Result(PASS, value=is_now)


class ReplicationLag(_Asks):
    """Of a standby: how far it is behind, in seconds, and whether it is connected to anybody.  A primary passes.

    streaming   False for a standby that reads an archive only
    """

    _statement = _LAG

    def __init__(
        self, connect: Callable[[], Any], *, warn_s: float | None = 10.0, fail_s: float | None = 60.0, streaming: bool = True,
        statement_s: float = 1.5,
    ):
        super().__init__(connect, statement_s)
        self._warn_s, self._fail_s = limits(warn_s, fail_s, ("warn_s", "fail_s"))
        self._streaming = streaming

    def _judged(self, row: Any) -> Result:
        standby, receiving, lag_s = row
        if not standby:
            return Result(PASS, "is the primary", 0.0, "s")
        if self._streaming and not receiving:
            return Result(FAIL, "no WAL receiver: the standby is connected to nobody")
        if lag_s is None:
            return Result(WARN, "nothing has been replayed since the standby started")
        return measured(max(0.0, round(lag_s, 3)), self._warn_s, self._fail_s, "s", "the replication lag")
