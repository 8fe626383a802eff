"""Client-side balancing over endpoints, with ejection of those that fail.

Rules: an endpoint is ejected after failures in a row, for a time that grows when it fails again; never more than a share of all
of them, because when most seem down it is more likely us; the choice is made by one small object of `choosing`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.calling import once, settled, wrap
from holdfast.runtime.choosing import RoundRobin
from holdfast.runtime.errors import not_asked
from holdfast.runtime.locks import new_lock
from holdfast.runtime.rejections import NoEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Balancer", "Ejection", "Endpoint"]


class Ejection:
    """When an endpoint leaves for a while.

    failures   in a row
    base_s     the first absence; doubles each time up to `max_s`, and halves back after as long a time in service as it was away
    max_share  of all endpoints that may be away at once; at least one may unless the share is 0
    """

    __slots__ = ("base_s", "failures", "max_s", "max_share")

    def __init__(self, *, failures: int = 5, base_s: float = 5.0, max_s: float = 300.0, max_share: float = 0.5):
        self.failures = checks.whole("failures", failures, low=1)
        self.base_s = checks.number("base_s", base_s, low=0.0, low_open=True)
        self.max_s = checks.number("max_s", max_s, low=self.base_s)
        self.max_share = checks.number("max_share", max_share, low=0.0, high=1.0)

    def most(self, endpoints: int) -> int:
        """How many of so many may be away at once."""
        return max(1, int(self.max_share * endpoints)) if self.max_share else 0


class Endpoint:
    """One address and what we know of it.  Only the balancer changes it."""

    __slots__ = ("address", "away_s", "back_s", "failures", "in_flight", "number", "weight")

    def __init__(self, address: Any, weight: float, number: int):
        self.address, self.weight, self.number = address, weight, number
        self.in_flight, self.failures = 0, 0
        self.away_s = 0.0  # how long the last absence was, 0.0 when forgotten
        self.back_s = float("-inf")  # when it ends

    def __repr__(self) -> str:
        return f"Endpoint({self.address!r}, weight={self.weight:g}, in_flight={self.in_flight}, failures={self.failures})"


class Balancer:
    """As a decorator and in `call`, the function gets the address as its first argument.

    endpoints  addresses (any hashable), or a mapping from address to weight; `set_endpoints` replaces them and keeps what is
               known, but lets back those ejected the longest ago when more than `max_share` would be away
    choice     RoundRobin, TwoChoices, Weighted or ConsistentHash
    ejection   None for never
    failed_on  which exceptions count against the endpoint: class, tuple of them, or function.  Others leave its count as it is,
               as does what a policy within refused
    unwanted   function of the result: True counts as a failure
    When one of the two functions raises, that is logged and counts as a failure.
    """

    __slots__ = ("_by_address", "_choice", "_clock", "_endpoints", "_fails", "_lock", "_numbers", "_unwanted", "ejection", "name")

    def __init__(
        self,
        endpoints: Iterable[Any] | Mapping[Any, float],
        *,
        choice: Any = None,
        ejection: Ejection | None = None,
        failed_on: Any = (ConnectionError, TimeoutError),
        unwanted: Callable[[Any], bool] | None = None,
        name: str = "balancer",
        clock: Callable[[], float] = time.monotonic,
    ):
        self._choice = RoundRobin() if choice is None else choice
        if isinstance(self._choice, type) or not callable(getattr(self._choice, "choose", None)):
            raise ValueError(f"choice is {choice!r}; it must be RoundRobin(), TwoChoices(), Weighted() or ConsistentHash()")
        if ejection is not None and not isinstance(ejection, Ejection):
            raise ValueError(f"ejection is {ejection!r}; it must be an Ejection or None")
        self.ejection, self.name, self._clock = ejection, name, checks.function("clock", clock)
        self._lock, self._numbers = new_lock(), 0
        self._fails = checks.matcher("failed_on", failed_on, broken=True)
        self._unwanted = checks.optional(checks.predicate, "unwanted", unwanted, broken=True)
        self._by_address: dict[Any, Endpoint] = {}
        self._endpoints: tuple[Endpoint, ...] = ()
        self.set_endpoints(endpoints)

    def set_endpoints(self, endpoints: Iterable[Any] | Mapping[Any, float]) -> None:
        if isinstance(endpoints, str | bytes) or not isinstance(endpoints, Iterable):  # of a text each character would be one
            raise ValueError(f"endpoints is {endpoints!r}; it must be a list of addresses, or a mapping from address to weight")
        weights = dict(endpoints) if isinstance(endpoints, Mapping) else dict.fromkeys(endpoints, 1.0)
        for address, weight in weights.items():
            weights[address] = checks.number(f"weight of {address!r}", weight, low=0.0, high=1e6, low_open=True)
        with self._lock:
            known = {}
            for address, weight in weights.items():
                endpoint = self._by_address.get(address)
                if endpoint is None:
                    endpoint = Endpoint(address, weight, self._numbers)
                    self._numbers += 1
                endpoint.weight = weight
                known[address] = endpoint
            self._by_address = known
            self._endpoints = tuple(sorted(known.values(), key=lambda endpoint: endpoint.number))
            if self.ejection is not None:
                self._let_back(self.ejection, self._clock())

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self._endpoints

    def ejected(self) -> tuple[Any, ...]:
        now_s = self._clock()
        return tuple(endpoint.address for endpoint in self._endpoints if endpoint.back_s > now_s)

    def pick(self, key: Any = None) -> Pick:
        """`with balancer.pick() as address:` chooses, counts the call in flight and judges it by its exception."""
        return Pick(self, key)

    def take(self, key: Any = None) -> Endpoint:
        """Two-step form: `take`, then `give` with True, False, or None for no verdict."""
        with self._lock:
            now_s = self._clock()
            serving = [endpoint for endpoint in self._endpoints if endpoint.back_s <= now_s]
            if not serving:
                soonest_s = min((endpoint.back_s - now_s for endpoint in self._endpoints), default=None)
                why = f"all {len(self._endpoints)} endpoints are ejected" if self._endpoints else "there are no endpoints"
                raise NoEndpoint(f"{self.name}: {why}", retry_after_s=soonest_s, policy=self.name)
            endpoint: Endpoint = self._choice.choose(serving, key)
            endpoint.in_flight += 1
            return endpoint

    def give(self, endpoint: Endpoint, good: bool | None) -> None:
        with self._lock:
            endpoint.in_flight -= 1
            if self.ejection is None or good is None:
                return
            now_s = self._clock()
            if endpoint.back_s > now_s:
                return  # a call that was under way when it was ejected says nothing new
            if good:
                endpoint.failures = 0
                if endpoint.away_s and now_s - endpoint.back_s >= endpoint.away_s:
                    endpoint.away_s = endpoint.away_s / 2 if endpoint.away_s > self.ejection.base_s else 0.0
                    endpoint.back_s = now_s  # the next halving takes its own time
                return
            endpoint.failures += 1
            if endpoint.failures >= self.ejection.failures:
                self._eject(endpoint, self.ejection, now_s)

    def _eject(self, endpoint: Endpoint, ejection: Ejection, now_s: float) -> None:
        away = sum(other.back_s > now_s for other in self._endpoints)
        if away >= ejection.most(len(self._endpoints)) or endpoint.address not in self._by_address:
            return
        endpoint.away_s = min(ejection.max_s, max(ejection.base_s, endpoint.away_s * 2))
        endpoint.back_s, endpoint.failures = now_s + endpoint.away_s, 0

    def _let_back(self, ejection: Ejection, now_s: float) -> None:
        """Those that went first, until no more than the share is away of the endpoints that there are now."""
        away = sorted(
            (endpoint for endpoint in self._endpoints if endpoint.back_s > now_s),
            key=lambda endpoint: endpoint.back_s - endpoint.away_s)
        for endpoint in away[:max(0, len(away) - ejection.most(len(self._endpoints)))]:
            endpoint.back_s = now_s

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = getattr(self._choice, "key", None)
        return None if key is None else key(*args, **kwargs)

    def _verdict(self, error: BaseException | None, result: Any) -> bool | None:
        if error is not None:
            # Who was not asked has not failed.
            return False if isinstance(error, Exception) and not not_asked(error) and self._fails(error) else None
        return self._unwanted is None or not self._unwanted(result)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        endpoint, good = self.take(self._key(args, kwargs)), None
        try:
            result = once(function, (endpoint.address, *args), kwargs)
            good = self._verdict(None, result)
            return result
        except BaseException as error:
            good = self._verdict(error, None)
            raise
        finally:
            self.give(endpoint, good)

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        endpoint, good = self.take(self._key(args, kwargs)), None
        try:
            result = await settled(function, (endpoint.address, *args), kwargs)
            good = self._verdict(None, result)
            return result
        except BaseException as error:
            good = self._verdict(error, None)
            raise
        finally:
            self.give(endpoint, good)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return wrap(self, function)


class Pick:
    """One call through the balancer, as a block; also `async with`."""

    __slots__ = ("_balancer", "_endpoint", "_key")

    def __init__(self, balancer: Balancer, key: Any):
        self._balancer, self._key = balancer, key
        self._endpoint: Endpoint | None = None

    def __enter__(self) -> Any:
        self._endpoint = self._balancer.take(self._key)
        return self._endpoint.address

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        assert self._endpoint is not None
        self._balancer.give(self._endpoint, True if error is None else self._balancer._verdict(error, None))

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self.__exit__(kind, error, traceback)
