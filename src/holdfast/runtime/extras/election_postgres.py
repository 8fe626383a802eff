"""Seats as PostgreSQL's advisory locks: `Leader("billing", store=Postgres("host=db1,db2 target_session_attrs=read-write"))`.

Rules: an advisory lock belongs to a session and knows no time, so the session is given one: with idle_session_timeout the server
itself ends a session that was silent for ttl_s, be its client dead, frozen or cut off.  The token is the number of a transaction
begun after the lock was had.  PostgreSQL 14 or later, no pooler that shares sessions, and locks do not outlive a failover.
"""

from __future__ import annotations

import hashlib
import select
import socket
import time
from math import ceil
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq

from holdfast.runtime.election_store import Call, Gone, Holder, StoreRefused, Taken, Unreachable

if TYPE_CHECKING:
    from collections.abc import Generator

    from holdfast.runtime.election_store import Step

__all__ = ["Postgres", "PostgresSeats", "lock_key"]

# Source: PostgreSQL manual, appendix A: what trying again does not cure.  Everything else may pass.
HOPELESS = ("28", "3D", "42", "22", "0A")
LOCK_NOT_AVAILABLE = "55P03"
LEAST_VERSION = 140000  # idle_session_timeout came with 14

_HELD = """\
select pg_backend_pid(), exists (
  select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted and objsubid = 1
  and classid::int8 << 32 | objid::int8 = $1::int8)"""
_HOLDERS = """\
select classid::int8 << 32 | objid::int8, a.application_name from pg_locks l join pg_stat_activity a using (pid)
where locktype = 'advisory' and granted and objsubid = 1
and l.database = (select oid from pg_database where datname = current_database())"""


def lock_key(name: str, seat: int = 0) -> int:
    """The 64-bit number of the advisory lock; in pg_locks its halves are classid and objid."""
    return int.from_bytes(hashlib.sha256(f"holdfast/{name}/{seat}".encode()).digest()[:8], "big", signed=True)


class Postgres:
    """`conninfo` is libpq's, with any number of hosts; it must lead to the primary."""

    def __init__(self, conninfo: str):
        try:
            psycopg.conninfo.conninfo_to_dict(conninfo)
        except (psycopg.Error, TypeError) as error:
            raise ValueError(f"conninfo is not one of libpq: {error}") from None
        self._conninfo = conninfo

    def seats(self, name: str, count: int, attempt_s: float) -> PostgresSeats:
        return PostgresSeats(self._conninfo, name, count, attempt_s)


class _Failed(Exception):  # noqa: N818
    def __init__(self, message: str, sqlstate: str):
        super().__init__(message)
        self.sqlstate = sqlstate


class PostgresSeats:
    """One contender's session."""

    def __init__(self, conninfo: str, name: str, count: int, attempt_s: float):
        self._conninfo, self._name, self._attempt_s = conninfo, name, attempt_s
        self._keys = [lock_key(name, seat) for seat in range(count)]
        self._session: Any = None
        self._pid = ""
        self._seat: int | None = None
        self._turn = 0
        self._stop, self._stopped = socket.socketpair()

    def take(self, who: str, ttl_s: float, *, limit_s: float) -> Generator[Step, Any, Taken | None]:
        taken: Taken | None = yield Call(self._take, who, ttl_s, limit_s=limit_s)
        return taken

    def renew(self, *, limit_s: float) -> Generator[Step, Any, None]:
        yield Call(self._renew, limit_s=limit_s)

    def leave(self, *, limit_s: float) -> Generator[Step, Any, None]:
        if self._session is not None:
            yield Call(self._leave, limit_s=limit_s)

    def wait(self, *, limit_s: float) -> Generator[Step, Any, None]:
        yield Call(self._wait, limit_s=limit_s)

    def holders(self, *, limit_s: float) -> Generator[Step, Any, tuple[Holder, ...]]:
        found: tuple[Holder, ...] = yield Call(self._holders, limit_s=limit_s)
        return found

    def interrupt(self) -> None:
        try:
            self._stop.send(b"!")
        except OSError:
            pass

    def close(self) -> None:
        self._drop()
        self._stop.close()
        self._stopped.close()

    # --- what blocks

    def _take(self, who: str, ttl_s: float, *, limit_s: float) -> Taken | None:
        until_s = time.monotonic() + limit_s
        if self._session is None:
            self._connect(until_s)
        # From here on the server ends the connection when it hears nothing for so long.
        self._ask("select set_config('idle_session_timeout', $1, false)", f"{ceil(ttl_s * 1000)}", until_s=until_s)
        for seat, key in enumerate(self._keys):
            if self._seat in (None, seat):
                lock = "select pg_try_advisory_lock($1::int8)"
                if self._seat == seat or self._ask(lock, str(key), until_s=until_s) == [["t"]]:
                    self._seat = seat
                    ((token,),) = self._ask("select pg_current_xact_id()::text", until_s=until_s)
                    self._ask("select set_config('application_name', $1, false)", f"hf:{token}:{who}"[:63], until_s=until_s)
                    return Taken(seat, int(token))
        return None

    def _renew(self, *, limit_s: float) -> None:
        if self._session is None or self._seat is None:
            raise Gone("its session in PostgreSQL has ended")
        try:
            rows = self._ask(_HELD, str(self._keys[self._seat]), until_s=time.monotonic() + limit_s)
        except Unreachable as error:
            if self._session is None:
                raise Gone(f"its session in PostgreSQL has ended: {error}") from None
            raise
        if rows != [[self._pid, "t"]]:
            raise Gone("its session in PostgreSQL is another one: is there a pooler in between?")

    def _leave(self, *, limit_s: float) -> None:
        try:
            if self._seat is not None:
                key = str(self._keys[self._seat])
                self._ask("select pg_advisory_unlock($1::int8)", key, until_s=time.monotonic() + limit_s)
        finally:
            self._drop()

    def _wait(self, *, limit_s: float) -> None:
        """In the server's own queue for one of the seats, a different one each time."""
        until_s = time.monotonic() + limit_s
        seat = self._turn = (self._turn + 1) % len(self._keys)
        try:
            self._ask("select set_config('lock_timeout', $1, false)", f"{max(1, int(limit_s * 1000))}", until_s=until_s + 1)
            lock = "select pg_advisory_lock($1::int8)"
            self._ask(lock, str(self._keys[seat]), until_s=until_s + self._attempt_s, stoppable=True)
            self._seat = seat
        except _Failed as error:
            if error.sqlstate != LOCK_NOT_AVAILABLE:
                raise Unreachable(str(error)) from None

    def _holders(self, *, limit_s: float) -> tuple[Holder, ...]:
        until_s = time.monotonic() + limit_s
        if self._session is None:
            self._connect(until_s)
        seats = {str(key): seat for seat, key in enumerate(self._keys)}
        found = []
        for key, application in self._ask(_HOLDERS, until_s=until_s):
            if key in seats:
                _, token, who = application.split(":", 2) if application.startswith("hf:") else ("", "", application)
                found.append(Holder(seats[key], who, int(token) if token else None))
        return tuple(sorted(found))

    # --- the session

    def _connect(self, until_s: float) -> None:
        self._seat = None
        try:
            self._session = psycopg.connect(
                self._conninfo, autocommit=True, connect_timeout=max(2, ceil(until_s - time.monotonic())),
                application_name="holdfast",
            )
        except psycopg.Error as error:
            said = " ".join(str(error).split())
            if isinstance(error, psycopg.OperationalError) and not (error.sqlstate or "").startswith(HOPELESS):
                hopeless = any(word in said for word in ("authentication failed", "does not exist", "no pg_hba.conf entry"))
                raise (StoreRefused if hopeless else Unreachable)(f"PostgreSQL: {said}") from None
            raise StoreRefused(f"PostgreSQL: {said}") from None
        if self._session.info.server_version < LEAST_VERSION:
            self._drop()
            raise StoreRefused("PostgreSQL 14 or later is needed: older ones cannot end a silent session")
        ((self._pid,),) = self._ask("select pg_backend_pid()", until_s=until_s)

    def _ask(self, sql: str, *params: str, until_s: float, stoppable: bool = False) -> list[list[str]]:
        """The rows as text.  Waits with a limit of our own, because a frozen server keeps the connection open for ever."""
        wire: Any = self._session.pgconn
        try:
            wire.send_query_params(sql.encode(), [param.encode() for param in params])
            return self._answer(wire, until_s, [self._stopped] if stoppable else [])
        except psycopg.OperationalError as error:
            self._drop()
            raise Unreachable(f"PostgreSQL: {' '.join(str(error).split())}") from None
        except TimeoutError:
            self._drop()  # the answer may still come, and would be taken for that to the next question
            raise Unreachable("PostgreSQL did not answer in time") from None
        except _Failed as error:
            if error.sqlstate == LOCK_NOT_AVAILABLE:
                raise
            if wire.status != pq.ConnStatus.OK or error.sqlstate.startswith(("57P", "25006")):
                self._drop()
            raise (StoreRefused if error.sqlstate.startswith(HOPELESS) else Unreachable)(f"PostgreSQL: {error}") from None

    def _answer(self, wire: Any, until_s: float, stops: list[Any]) -> list[list[str]]:
        rows: list[list[str]] = []
        failed = None
        while True:
            while wire.flush() or wire.is_busy():
                left_s = max(0.0, until_s - time.monotonic())
                if wire.socket not in select.select([wire.socket, *stops], [], [], left_s)[0]:
                    raise TimeoutError
                wire.consume_input()
            result = wire.get_result()
            if result is None:
                break
            if result.status == pq.ExecStatus.FATAL_ERROR:
                state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
                failed = _Failed(result.error_message.decode(errors="replace").strip(), state)
            columns = range(result.nfields)
            rows += [[(result.get_value(row, column) or b"").decode() for column in columns] for row in range(result.ntuples)]
        if failed is not None:
            raise failed
        return rows

    def _drop(self) -> None:
        session, self._session, self._seat = self._session, None, None
        if session is not None:
            session.close()
