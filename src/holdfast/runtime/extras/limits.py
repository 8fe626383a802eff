"""A rate limit that several processes share, kept by the library `limits` in Redis, memcached or MongoDB.

`SharedRateLimiter(limits.strategies.MovingWindowRateLimiter(storage), limits.parse("100/second"), "shop")`; with a strategy of
`limits.aio` only the async forms work.  It refuses and never waits; when the storage is away, `storage_down` says what then:
"pass" or "raise". `retry_after_s` is not known: the library tells the end of a window in wall-clock time of the storage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.calling import once, settled, wrap
from holdfast.runtime.rejections import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    import limits

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["SharedRateLimiter"]


class SharedRateLimiter:
    def __init__(
        self, strategy: Any, item: limits.RateLimitItem, *identifiers: str, storage_down: str = "pass",
        name: str = "shared rate limiter",
    ):
        self._strategy, self._item, self._identifiers = strategy, item, identifiers
        checks.function("strategy", getattr(strategy, "hit", None))
        self.storage_down = checks.one_of("storage_down", storage_down, ("pass", "raise"))
        self.name = name
        self._storage_errors: Any = getattr(strategy.storage, "base_exceptions", Exception)

    def acquire(self) -> None:
        try:
            passed = self._strategy.hit(self._item, *self._identifiers)
        except self._storage_errors:
            if self.storage_down == "raise":
                raise
            return
        if not passed:
            raise self._refusal()

    async def aacquire(self) -> None:
        try:
            passed = self._strategy.hit(self._item, *self._identifiers)
            if hasattr(passed, "__await__"):
                passed = await passed
        except self._storage_errors:
            if self.storage_down == "raise":
                raise
            return
        if not passed:
            raise self._refusal()

    def _refusal(self) -> RateLimited:
        return RateLimited(f"{self.name}: {self._item} is used up", policy=self.name)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.acquire()
        return once(function, args, kwargs)  # type: ignore[no-any-return]

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        await self.aacquire()
        return await settled(function, args, kwargs)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return wrap(self, function)
