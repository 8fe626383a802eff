"""Health of a database behind SQLAlchemy 2: `Check("database", Ping(engine))`, for Engine and AsyncEngine.

Rules: one `SELECT 1` on a connection of the engine's own pool, so that an exhausted pool is seen as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, text

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["Ping"]


class Ping:
    dependency = True

    def __init__(self, engine: Engine | AsyncEngine, *, statement: str = "SELECT 1"):
        # sqlalchemy.ext.asyncio cannot be imported without greenlet, which plain programs have no need of.
        if not isinstance(getattr(engine, "sync_engine", engine), Engine):
            raise ValueError(f"engine is {engine!r}; it must be an Engine or an AsyncEngine")
        self._engine: Any = engine
        self._statement = text(statement)

    def __call__(self) -> Any:
        if not isinstance(self._engine, Engine):
            return self._later()
        with self._engine.connect() as connection:
            connection.execute(self._statement)
        return None

    async def _later(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(self._statement)
