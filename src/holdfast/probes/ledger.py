"""Write numbered rows and remember which were acknowledged; afterwards look on every node which are there.

    orders: {ledger: db, through: entry, from: client, every: 20ms, patience: 2s}

yes: the commit was acknowledged.  no: certainly not written (nobody accepted the connection, or the server refused the
statement).  unknown: the statement was sent and no answer came, so the row may or may not be there.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from holdfast.probes.probe import Ask, Audit, Probe, Reply
from holdfast.probes.scram import scram_keys
from holdfast.record.event import Answer

TABLE = "holdfast_ledger"
_MOST_IDLE = 4
_MAKE_LIMIT_S = 30.0
_AUDIT_LIMIT_S = 20.0
_CLOSE_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """How the ledger reaches its database.  `through` are tried in order; `nodes` are host name to address, for the audit."""

    through: Sequence[str]
    port: int
    nodes: Mapping[str, str]
    node_port: int
    direct: bool = False
    """No balancer in between: of several addresses only a writable one will do, as drivers are told to look for."""
    database: str
    user: str
    password: str

    def connection(
        self, host: str, port: int, *, patience_s: float, writable: bool = False, keys: Mapping[str, str] | None = None
    ) -> str:
        """keys: see `probes.scram`."""
        return psycopg.conninfo.make_conninfo(
            **(keys or {}),
            host=host, port=port, dbname=self.database, user=self.user, password=self.password, sslmode="disable",
            target_session_attrs="read-write" if writable else "any",
            gssencmode="disable", connect_timeout=max(2, round(patience_s)), tcp_user_timeout=round(patience_s * 1000),
            application_name="holdfast ledger",
        )  # fmt: skip


def ledger_probe(
    *, name: str, tier: str, through: str, database: Callable[[], Database], run: str, client: str, every_s: float,
    patience_s: float,
) -> Probe:
    """`database` is what the client knows of it now.  `run` keeps the rows of this run apart from those of others."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        writer = _Writer(database, run, patience_s)
        await writer.make_table()
        await writer.make_keys()
        try:
            yield writer.ask
        finally:
            await writer.close()

    async def audit(became: Mapping[int, Answer], primary: str) -> Audit:
        return await _audit(database(), run, became, primary)

    what = f"INSERT into {tier} through {through}" if through != tier else f"INSERT into {tier}"
    return Probe(
        name=name, kind="ledger", what=what, client=client, every_s=every_s, patience_s=patience_s, writes=True,
        open=opened, audit=audit,
    )  # fmt: skip


class _Writer:
    """Connections that are free are used again; while one hangs, the next question opens another.

    Whoever is told another password or other addresses goes on with new connections, as a pool that is made anew.
    """

    def __init__(self, database: Callable[[], Database], run: str, patience_s: float):
        self._database, self._run, self._patience_s = database, run, patience_s
        self._known: Database | None = None
        self._plain: tuple[str, ...] = ()
        self._ways: tuple[str, ...] = ()
        self._idle: list[psycopg.AsyncConnection] = []
        self._abandoned: dict[asyncio.Task[Reply], _Question] = {}

    def _look_up(self) -> Database:
        database = self._database()
        if database is not self._known:
            self._known = database
            self._plain = self._ways = self._with(database, None)
            self._hang_up()
        return database

    def _hang_up(self) -> None:
        for connection in self._idle:
            connection.pgconn.finish()
        self._idle.clear()

    def _with(self, about: Database, keys: Mapping[str, str] | None) -> tuple[str, ...]:
        return tuple(
            about.connection(address, about.port, patience_s=self._patience_s, writable=about.direct, keys=keys)
            for address in about.through
        )

    async def make_keys(self) -> None:
        """Work out once what every later connection needs to log in; without an answer each does so for itself."""
        about = self._look_up()
        for address in about.through:
            keys = await scram_keys(
                address, about.port, database=about.database, user=about.user, password=about.password,
                patience_s=self._patience_s,
            )  # fmt: skip
            if keys and about is self._known:
                self._ways = self._with(about, keys)
                return

    async def connect(self) -> psycopg.AsyncConnection:
        """Raises what the last address said.  Keys that do not fit any more are forgotten: the password decides."""
        ways = self._ways
        try:
            return await connect(ways, self._patience_s)
        except psycopg.OperationalError as error:
            if ways is self._plain or "authentication failed" not in str(error):
                raise
            if ways is self._ways:
                self._ways = self._plain
            return await connect(self._ways, self._patience_s)

    async def make_table(self) -> None:
        """Waits for a database that can be written.  Raises the last error after half a minute."""
        self._look_up()
        until_s = asyncio.get_running_loop().time() + _MAKE_LIMIT_S
        while True:
            try:
                connection = await self.connect()
                async with connection:
                    await connection.execute(
                        f"CREATE TABLE IF NOT EXISTS {TABLE} (run text, number bigint, PRIMARY KEY (run, number))"
                    )
                    return
            except (psycopg.Error, OSError, TimeoutError):
                if asyncio.get_running_loop().time() > until_s:
                    raise
                await asyncio.sleep(0.1)

    async def ask(self, number: int) -> Reply:
        known = self._look_up()
        question = _Question(self.connect, self._run, number, self._idle.pop() if self._idle else None)
        task = asyncio.get_running_loop().create_task(question.write())
        done, _ = await asyncio.wait({task}, timeout=self._patience_s)
        if not done:
            # Cancelling would wait for the server's consent, which a dead one never gives: cut the wire instead.
            question.cut()
            self._abandoned[task] = question
            task.add_done_callback(self._abandoned.pop)
            detail = f"no answer within {self._patience_s:g} s"
            return Reply(answer="unknown" if question.sent else "no", detail=detail)
        reply = task.result()
        if reply.answer == "yes" and question.connection and len(self._idle) < _MOST_IDLE and known is self._known:
            self._idle.append(question.connection)
        else:
            question.cut()
        return reply

    async def close(self) -> None:
        """Nobody is left behind: a task that outlived its loop would complain on the terminal."""
        abandoned = dict(self._abandoned)
        for task, question in abandoned.items():
            if question.connection is not None:
                question.connection.pgconn.finish()  # or else the cancellation would ask the server for its consent
            task.cancel()
        if abandoned:
            await asyncio.wait(abandoned, timeout=_CLOSE_LIMIT_S)
        self._hang_up()


async def connect(ways: Sequence[str], patience_s: float) -> psycopg.AsyncConnection:
    """The first that answers, in order, each with its share of the patience: a silent host must not use up all of it.

    Raises what the last one said.
    """
    share_s = patience_s / len(ways)
    for number, conninfo in enumerate(ways, start=1):
        try:
            async with asyncio.timeout(share_s):
                return await psycopg.AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=None)
        except (psycopg.Error, OSError):
            if number == len(ways):
                raise
    raise AssertionError("a database without an address")


class _Question:
    """One row.  `sent` turns true just before the statement may leave."""

    def __init__(
        self, connect: Callable[[], Awaitable[psycopg.AsyncConnection]], run: str, number: int,
        connection: psycopg.AsyncConnection | None,
    ):  # fmt: skip
        self._connect, self._run, self._number = connect, run, number
        self.connection = connection
        self.sent = False
        self._gone = False

    async def write(self) -> Reply:
        try:
            if self.connection is None:
                connection = await self._connect()
                if self._gone:
                    connection.pgconn.finish()
                    return Reply(answer="no", detail="too late")
                self.connection = connection
            self.sent = True
            cursor = await self.connection.execute(
                f"INSERT INTO {TABLE} VALUES (%s, %s) RETURNING host(inet_server_addr())", (self._run, self._number)
            )
            row = await cursor.fetchone()
            return Reply(answer="yes", detail=row[0] if row else "")
        except psycopg.Error as error:
            return self._judged(error)
        except OSError as error:  # a timeout among them
            return Reply(answer="unknown" if self.sent else "no", detail=str(error) or type(error).__name__)

    def _judged(self, error: psycopg.Error) -> Reply:
        """With an SQLSTATE the server itself said no, except where it ended in the middle (57P01..) or lost its standby."""
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        state = error.sqlstate or ""
        refused = bool(state) and not state.startswith(("57P", "08", "40003", "58", "XX"))
        return Reply(answer="no" if refused or not self.sent else "unknown", detail=first_line[:200])

    def cut(self) -> None:
        self._gone = True
        if self.connection is None or self.connection.closed:
            return
        try:
            duplicate = socket.socket(fileno=os.dup(self.connection.pgconn.socket))
        except (OSError, psycopg.Error):
            return
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        finally:
            duplicate.close()


async def _audit(database: Database, run: str, became: Mapping[int, Answer], primary: str) -> Audit:
    """Reads every node; a replica gets a little time to catch up.  Without the primary nothing is known."""
    acknowledged = {number for number, answer in became.items() if answer == "yes"}
    refused = {number for number, answer in became.items() if answer == "no"}
    ambiguous = {number for number, answer in became.items() if answer == "unknown"}
    counts = {"acknowledged": len(acknowledged), "refused": len(refused), "ambiguous": len(ambiguous)}
    held: dict[str, set[int]] = {}
    trouble: dict[str, str] = {}
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _AUDIT_LIMIT_S
    while True:
        for node, address in database.nodes.items():
            try:
                held[node] = await _numbers(database, run, address, became)
                trouble.pop(node, None)
            except (psycopg.Error, OSError) as error:
                trouble[node] = f"{node}: {str(error).strip() or type(error).__name__}"
        on_primary = next((held[node] for node, at in database.nodes.items() if at == primary and node in held), None)
        whole = on_primary is not None and not trouble
        if (whole and all(on_primary & acknowledged <= numbers for numbers in held.values())) or loop.time() > until_s:
            break
        await asyncio.sleep(0.2)
    if on_primary is None:
        return Audit(**counts, problem="; ".join(trouble.values()) or "nobody is the primary")
    return Audit(
        **counts, lost=tuple(sorted(acknowledged - on_primary)), resurrected=tuple(sorted(refused & on_primary)),
        ambiguous_present=len(ambiguous & on_primary),
        missing={node: len(acknowledged - numbers) for node, numbers in held.items()},
    )  # fmt: skip


async def _numbers(database: Database, run: str, address: str, became: Mapping[int, Answer]) -> set[int]:
    if not became:
        return set()
    conninfo = database.connection(address, database.node_port, patience_s=2.0)
    async with asyncio.timeout(5), await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(
            f"SELECT number FROM {TABLE} WHERE run = %s AND number BETWEEN %s AND %s", (run, min(became), max(became))
        )
        return {row[0] for row in await cursor.fetchall()}
