"""Health of a database behind SQLAlchemy 2: `Check("database", Ping(engine))`, for Engine and AsyncEngine.

Rules: one `SELECT 1` on a connection of the engine's own pool, so that an exhausted pool is seen as well.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["Ping"]


class Ping:
    dependency = True

    def __init__(self, engine: Engine | AsyncEngine, *, statement: str = "SELECT 1"):
        if not isinstance(engine, Engine | AsyncEngine):
            raise ValueError(f"engine is {engine!r}; it must be an Engine or an AsyncEngine")
        self._engine, self._statement = engine, text(statement)

    def __call__(self) -> Any:
        if isinstance(self._engine, AsyncEngine):
            return self._later(self._engine)
        with self._engine.connect() as connection:
            connection.execute(self._statement)
        return None

    async def _later(self, engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            await connection.execute(self._statement)
