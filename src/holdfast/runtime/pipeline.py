"""Policies one around the other, outermost first, in the order in which they are written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    from holdfast.runtime.calling import Policy

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Pipeline"]


class Pipeline:
    """`Pipeline(retry, breaker, bulkhead)` calls the bulkhead inside the breaker inside the retry; it is a policy itself.

    The same as stacking the decorators in that order from the top.  Nothing is reordered or added.
    """

    __slots__ = ("acall", "call", "policies")

    def __init__(self, *policies: Policy):
        if not policies:
            raise ValueError("policies is (); a pipeline must have at least 1")
        for policy in policies:
            for name in ("call", "acall", "__call__"):
                if isinstance(policy, type) or not callable(getattr(policy, name, None)):
                    raise ValueError(f"policies has {policy!r}; each must be a policy, with call, acall and use as a decorator")
        self.policies = policies
        # retry.call(breaker.call, bulkhead.call, function, ...): each takes the next one for its function.
        first, others = policies[0], policies[1:]
        self.call: Callable[..., Any] = partial(first.call, *[policy.call for policy in others])
        self.acall: Callable[..., Any] = partial(first.acall, *[policy.acall for policy in others])

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        for policy in reversed(self.policies):
            function = policy(function)
        return function

    def __repr__(self) -> str:
        return f"Pipeline({', '.join(type(policy).__name__ for policy in self.policies)})"
