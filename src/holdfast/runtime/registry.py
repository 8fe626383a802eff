"""A circuit breaker for each host, tenant or whatever key there is, with a bound on how many.

Rules: the least recently used one goes first, but of the oldest few a closed one before one that is not: dropping an open breaker
would let the calls through that it holds back.
"""

from __future__ import annotations

from time import monotonic

from holdfast.runtime.breaker import CircuitBreaker
from holdfast.runtime.breaker_settings import BreakerSettings, check_given, check_settings
from holdfast.runtime.breaker_tell import checked_kinds
from holdfast.runtime.locks import new_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from random import Random

    from holdfast.runtime.breaker_events import Kind, Listener

# How many of the oldest are looked at for one that is closed: eviction must not take longer with a larger registry.
_LOOKED_AT = 16


class BreakerRegistry:
    """`registry["db1"]` is the breaker of that key, made when first asked for.

    `own` holds the settings of keys that differ; `at_most` is the bound, from 1.  A breaker that was dropped goes on for those
    who hold it; the next one to ask for its key gets a new one.
    """

    def __init__(
        self,
        settings: BreakerSettings | None = None,
        *,
        own: Mapping[Hashable, BreakerSettings] | None = None,
        at_most: int = 1_024,
        listeners: Iterable[tuple[Listener, Iterable[Kind]]] = (),
        clock: Callable[[], float] = monotonic,
        random: Random | None = None,
    ) -> None:
        if not isinstance(at_most, int) or isinstance(at_most, bool) or at_most < 1:
            raise ValueError(f"at_most is {at_most!r}; it must be a whole number from 1")
        settings = BreakerSettings() if settings is None else settings
        _check(settings, own)
        check_given(clock=clock, random=random)
        self._settings = settings
        self._own = dict(own or {})
        self._at_most = at_most
        self._listeners = tuple((listener, tuple(checked_kinds(listener, kinds))) for listener, kinds in listeners)
        self._clock = clock
        self._random = random
        self._lock = new_lock()
        self._breakers: dict[Hashable, CircuitBreaker] = {}  # the least recently used one first

    def __getitem__(self, key: Hashable) -> CircuitBreaker:
        with self._lock:
            breaker = self._breakers.pop(key, None) or self._made(key)
            self._breakers[key] = breaker
            while len(self._breakers) > self._at_most:
                self._drop_one(key)
            return breaker

    def __contains__(self, key: object) -> bool:
        return key in self._breakers

    def __len__(self) -> int:
        return len(self._breakers)

    def items(self) -> tuple[tuple[Hashable, CircuitBreaker], ...]:
        """Key and breaker of all there are now, the least recently used one first; this does not count as a use."""
        with self._lock:
            return tuple(self._breakers.items())

    def drop(self, key: Hashable) -> None:
        with self._lock:
            self._breakers.pop(key, None)

    def configure(self, settings: BreakerSettings, *, own: Mapping[Hashable, BreakerSettings] | None = None) -> None:
        """New settings for all, while calls run; `own` replaces the settings of keys when given."""
        _check(settings, own)
        with self._lock:
            self._settings = settings
            self._own = self._own if own is None else dict(own)
            breakers = tuple(self._breakers.items())
        # Without the lock: this calls listeners, and they may use the registry.  Asked anew after each change, because another
        # thread may have configured the registry meanwhile: whoever is last leaves what is wanted now.
        for key, breaker in breakers:
            while breaker.settings != (wanted := self._own.get(key, self._settings)):
                breaker.configure(wanted)

    def _made(self, key: Hashable) -> CircuitBreaker:
        settings = self._own.get(key, self._settings)
        breaker = CircuitBreaker(str(key), settings, clock=self._clock, random=self._random)
        for listener, kinds in self._listeners:
            breaker.listen(listener, kinds)
        return breaker

    def _drop_one(self, newest: Hashable) -> None:
        oldest = []
        for key in self._breakers:
            if key != newest:
                oldest.append(key)
            if len(oldest) == _LOOKED_AT:
                break
        closed = [key for key in oldest if self._breakers[key].state == "closed"]
        self._breakers.pop((closed or oldest)[0])


def _check(settings: BreakerSettings, own: Mapping[Hashable, BreakerSettings] | None) -> None:
    check_settings(settings)
    for key, its_own in (own or {}).items():
        check_settings(its_own, f"own of {key!r}")
