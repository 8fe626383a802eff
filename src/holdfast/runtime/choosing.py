"""Ways to choose among endpoints that are in service: each a small object with `choose(endpoints, key)`.

`endpoints` is never empty and keeps its order.  The balancer holds its lock meanwhile, so that plain attributes do.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from holdfast.runtime.balancer import Endpoint

__all__ = ["ConsistentHash", "RoundRobin", "TwoChoices", "Weighted"]


class RoundRobin:
    """In turn, whatever their weights."""

    __slots__ = ("_turn",)

    def __init__(self) -> None:
        self._turn = 0

    def choose(self, endpoints: Sequence[Endpoint], key: Any) -> Endpoint:
        # By number, not by place in the list: who comes back from an ejection must not shift everybody else's turn.
        chosen = next((endpoint for endpoint in endpoints if endpoint.number >= self._turn), endpoints[0])
        self._turn = chosen.number + 1
        return chosen


class TwoChoices:
    """Two at random, of which the one with fewer calls in flight per weight: nearly the best of all, without the stampede on the
    best.

    Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001.
    """

    __slots__ = ("_rng",)

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = checks.chance("rng", rng, "sample")

    def choose(self, endpoints: Sequence[Endpoint], key: Any) -> Endpoint:
        if len(endpoints) == 1:
            return endpoints[0]
        one: Endpoint
        two: Endpoint
        one, two = self._rng.sample(endpoints, 2)
        return min(one, two, key=lambda endpoint: (endpoint.in_flight + 1) / endpoint.weight)


class Weighted:
    """In turn by weight, smoothly: weights 5, 1, 1 give a a b a c a a and not a a a a a b c.  The method of nginx's upstream
    module.
    """

    __slots__ = ("_credit",)

    def __init__(self) -> None:
        self._credit: dict[Any, float] = {}

    def choose(self, endpoints: Sequence[Endpoint], key: Any) -> Endpoint:
        credit = self._credit
        if len(credit) > 4 * len(endpoints) + 100:  # addresses that left for good
            credit.clear()
        for endpoint in endpoints:
            credit[endpoint.address] = credit.get(endpoint.address, 0.0) + endpoint.weight
        chosen = max(endpoints, key=lambda endpoint: credit[endpoint.address])
        credit[chosen.address] -= sum(endpoint.weight for endpoint in endpoints)
        return chosen


class ConsistentHash:
    """The same key goes to the same endpoint; when one leaves, only its keys move, spread over the others.

    Rendezvous hashing with weights: no ring to keep, no virtual nodes to tune; costs one hash per endpoint and call.  The hash
    is stable over processes and machines.  `key` is a function of the arguments of the call; `pick(key=...)` hands it in
    directly.
    Source: Thaler and Ravishankar, 1998; weights after Schindelhauer and Schomaker, 2005.
    """

    __slots__ = ("key",)

    def __init__(self, key: Callable[..., Any] | None = None) -> None:
        self.key = checks.optional(checks.function, "key", key)

    def choose(self, endpoints: Sequence[Endpoint], key: Any) -> Endpoint:
        if key is None:
            raise ValueError("key is None; a consistent hash must have one: pick(key=...) or ConsistentHash(key=function)")
        return max(endpoints, key=lambda endpoint: _score(endpoint, key))


def _score(endpoint: Endpoint, key: Any) -> float:
    digest = blake2b(f"{endpoint.address!r}\0{key!r}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    share = (int.from_bytes(digest, "big") + 1) / (2**64 + 2)  # above 0, below 1
    return -endpoint.weight / math.log(share) if share < 1.0 else math.inf
