"""Whole transactions of psycopg through a policy: `run(pool.connection, work, policy=policy)` and `arun` for the async twin.

Rules: the unit that is repeated is the transaction, never a statement.  When the connection breaks during COMMIT nobody knows
whether it was done: CommitUnknown is raised, which `transient` does not match, so that no policy repeats it.  A deadline of the
context becomes the statement_timeout of the transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from holdfast.runtime.deadlines import remaining_s
from holdfast.runtime.extras.adapting import a_policy, time_left_s
from holdfast.runtime.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.runtime.calling import Policy

__all__ = ["CommitUnknown", "arun", "retry", "run", "transient"]

# Source: PostgreSQL manual, appendix A.  Serialization failure, deadlock, too many connections, shutdown, crash, starting up,
# and a transaction that must write on a server that has become (or still is) a standby.
TRANSIENT = frozenset({"40001", "40P01", "53300", "57P01", "57P02", "57P03", "25006"})


class CommitUnknown(Exception):  # noqa: N818 - it is a state of knowledge
    """The connection broke while the transaction was being committed: it may have been done or not."""


def transient(error: Exception) -> bool:
    """For `on=` of the policies: the transaction was not done and may succeed if tried again."""
    if not isinstance(error, psycopg.Error):
        return False
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError)
    return state in TRANSIENT or state.startswith("08")


def retry(**settings: Any) -> Retry:
    return Retry(**{"on": transient, **settings})


def _timeout() -> str | None:
    left_s = remaining_s()
    if left_s is None:
        return None
    return f"SET LOCAL statement_timeout = {min(max(1, int(left_s * 1000)), 2**31 - 1)}"  # PostgreSQL's longest: 24 days


def run(connect: Callable[[], Any], work: Callable[[Any], Any], *, policy: Policy | None = None) -> Any:
    """`connect` gives a context manager of a connection: `pool.connection`, or `lambda: psycopg.connect(dsn)`.  `work` gets the
    connection.
    """
    def attempt() -> Any:
        time_left_s()  # or it raises
        with connect() as connection:
            transaction = connection.transaction()
            transaction.__enter__()
            try:
                if (statement := _timeout()) is not None:
                    connection.execute(statement)
                result = work(connection)
            except BaseException as error:
                transaction.__exit__(type(error), error, error.__traceback__)
                raise
            try:
                transaction.__exit__(None, None, None)
            except psycopg.OperationalError as error:
                if connection.closed:
                    raise CommitUnknown("the connection broke during COMMIT") from error
                raise
            return result

    return attempt() if policy is None else a_policy("policy", policy, "call").call(attempt)


async def arun(connect: Callable[[], Any], work: Callable[[Any], Any], *, policy: Policy | None = None) -> Any:
    """`connect` gives an async context manager of an async connection: `pool.connection`; `work` is a coroutine function."""
    async def attempt() -> Any:
        time_left_s()  # or it raises
        async with connect() as connection:
            transaction = connection.transaction()
            await transaction.__aenter__()
            try:
                if (statement := _timeout()) is not None:
                    await connection.execute(statement)
                result = await work(connection)
            except BaseException as error:
                await transaction.__aexit__(type(error), error, error.__traceback__)
                raise
            try:
                await transaction.__aexit__(None, None, None)
            except psycopg.OperationalError as error:
                if connection.closed:
                    raise CommitUnknown("the connection broke during COMMIT") from error
                raise
            return result

    return await (attempt() if policy is None else a_policy("policy", policy, "acall").acall(attempt))
