"""Does a database let this user in with this password?  Asked once, on a connection of its own."""

import asyncio

import psycopg

from holdfast.probes.ledger import Database

REFUSED = "28P01"
"""invalid_password: PostgreSQL documentation, Appendix A."""


async def lets_in(database: Database, address: str, *, patience_s: float = 2.0) -> str:
    """`yes`; `no` if the password is what is refused; `""` if nobody knows."""
    conninfo = database.connection(address, database.node_port, patience_s=patience_s)
    try:
        async with asyncio.timeout(patience_s), await psycopg.AsyncConnection.connect(conninfo, autocommit=True):
            return "yes"
    except (psycopg.Error, OSError) as error:
        wrong = getattr(error, "sqlstate", "") == REFUSED or "password authentication failed" in str(error)
        return "no" if wrong else ""
