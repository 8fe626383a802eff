"""All settings of a circuit breaker in one frozen object, every one of them checked when it is made.

Rules: no dataclass, because importing `dataclasses` costs more than the rest of the breaker; a number that makes no sense is a
`ValueError` that names the setting, the value and the range.
"""

from __future__ import annotations

from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Errors = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]

_YEAR_S = 366 * 86_400.0


class BreakerSettings:
    """When a breaker opens, for how long, and how it finds out that it may close.

    window_calls         the window is the last so many calls ...
    window_s             ... or, when given, the last so many seconds, in `window_buckets` parts
    min_calls            with fewer calls in the window there is no verdict
    failure_rate         opens when failures / calls >= this, 0 < rate <= 1
    slow_call_s          a call that takes this long is slow, whether it fails or not; None: nobody looks at the clock
    slow_rate            opens when slow calls / calls >= this
    open_s               how long it stays open the first time, seconds
    open_growth          each time the trials fail the wait grows by this factor ...
    open_at_most_s       ... up to this
    open_jitter          and is shortened by up to this fraction, so that a fleet does not come back as one
    trials               calls let through when half-open; their failures / trials against `trial_failure_rate` are the verdict
    trials_at_once       of these in flight at the same time; None: all of them
    trial_failure_rate   None: `failure_rate`
    full_round           wait for all trials, even when the verdict is certain
    half_open_at_most_s  without a verdict by then it opens again: a hung trial cannot wedge it
    failure_on           exceptions that are failures: types or a predicate; others count as success, for the callee did answer
    ignore_on            exceptions that count as nothing; wins over `failure_on`.  What is no `Exception` (cancellation,
                         KeyboardInterrupt) never counts
    failure_result       results that are failures
    ignore_result        results that count as nothing; wins over `failure_result`
    """

    __slots__ = (
        "failure_on", "failure_rate", "failure_result", "full_round", "half_open_at_most_s", "ignore_on", "ignore_result",
        "min_calls", "open_at_most_s", "open_growth", "open_jitter", "open_s", "slow_call_s", "slow_rate", "trial_failure_rate",
        "trials", "trials_at_once", "window_buckets", "window_calls", "window_s",
    )  # fmt: skip

    failure_on: Errors
    failure_rate: float
    failure_result: Callable[[Any], bool] | None
    full_round: bool
    half_open_at_most_s: float
    ignore_on: Errors
    ignore_result: Callable[[Any], bool] | None
    min_calls: int
    open_at_most_s: float
    open_growth: float
    open_jitter: float
    open_s: float
    slow_call_s: float | None
    slow_rate: float
    trial_failure_rate: float | None
    trials: int
    trials_at_once: int | None
    window_buckets: int
    window_calls: int
    window_s: float | None

    def __init__(
        self,
        *,
        window_calls: int = 100,
        window_s: float | None = None,
        window_buckets: int = 10,
        min_calls: int = 20,
        failure_rate: float = 0.5,
        slow_call_s: float | None = None,
        slow_rate: float = 1.0,
        open_s: float = 10.0,
        open_growth: float = 2.0,
        open_at_most_s: float = 120.0,
        open_jitter: float = 0.1,
        trials: int = 3,
        trials_at_once: int | None = None,
        trial_failure_rate: float | None = None,
        full_round: bool = False,
        half_open_at_most_s: float = 60.0,
        failure_on: Errors = Exception,
        ignore_on: Errors = (),
        failure_result: Callable[[Any], bool] | None = None,
        ignore_result: Callable[[Any], bool] | None = None,
    ) -> None:
        given = locals()
        for name in BreakerSettings.__slots__:
            object.__setattr__(self, name, given[name])
        _check(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], **others: Any) -> BreakerSettings:
        """Settings out of a configuration file; `others` are what a file cannot say (predicates).

        Every setting by its name.  Those that end in `_s` also without it, then with a unit: `open: 10s`.  Rates may be "50%".
        What a topology says of a use (`uses: {db: {timeout: 2s, retries: 1}}`) fits as it is: what is no breaker's belongs to
        others (`policies_from` makes all of them).  Where a file of your own holds both, the breaker's settings stand inside of a
        `breaker:` entry.  ValueError for any other name.
        """
        from holdfast.runtime.breaker_mapping import taken_from

        return cls(**{**taken_from(mapping, cls.__slots__), **others})

    def replace(self, **changes: Any) -> BreakerSettings:
        """A copy with some settings changed; all are checked again."""
        return type(self)(**{**{name: getattr(self, name) for name in BreakerSettings.__slots__}, **changes})

    __replace__ = replace

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings are frozen; use settings.replace({name}=...)")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BreakerSettings) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        return f"BreakerSettings({', '.join(f'{name}={getattr(self, name)!r}' for name in BreakerSettings.__slots__)})"

    def __reduce__(self) -> tuple[object, ...]:
        return (_made, (dict(zip(BreakerSettings.__slots__, _values(self), strict=True)),))


def check_settings(settings: object, name: str = "settings") -> None:
    if not isinstance(settings, BreakerSettings):
        hint = "BreakerSettings.from_mapping makes them of a mapping"
        raise ValueError(f"{name} is {settings!r}; it must be BreakerSettings ({hint})")


def check_given(*, clock: object, random: object = None, lock_free: object = None) -> None:
    """What a breaker, or a registry of them, is made of besides its settings."""
    if not callable(clock):
        raise ValueError(f"clock is {clock!r}; it must be a function that gives seconds, such as time.monotonic")
    if random is not None and not callable(getattr(random, "random", None)):
        raise ValueError(f"random is {random!r}; it must be a random.Random, or None")
    if lock_free is not None and not isinstance(lock_free, bool):
        raise ValueError(f"lock_free is {lock_free!r}; it must be True, False or None")


def _made(values: dict[str, Any]) -> BreakerSettings:
    return BreakerSettings(**values)


def _values(settings: BreakerSettings) -> tuple[object, ...]:
    return tuple(getattr(settings, name) for name in BreakerSettings.__slots__)


def _check(it: BreakerSettings) -> None:
    _whole("window_calls", it.window_calls, 1, 1_000_000)
    if it.window_s is not None:
        _number("window_s", it.window_s, 0.001, _YEAR_S)
    _whole("window_buckets", it.window_buckets, 1, 1_000)
    if it.window_s is None:
        _whole("min_calls", it.min_calls, 1, it.window_calls, " (window_calls)")
    else:
        _whole("min_calls", it.min_calls, 1, 1_000_000_000)
    _rate("failure_rate", it.failure_rate)
    if it.slow_call_s is not None:
        _number("slow_call_s", it.slow_call_s, 0.000_001, _YEAR_S)
    _rate("slow_rate", it.slow_rate)
    _number("open_s", it.open_s, 0.001, _YEAR_S)
    _number("open_growth", it.open_growth, 1.0, 1_000.0)
    if not (_is_number(it.open_at_most_s) and it.open_at_most_s == inf):
        _number("open_at_most_s", it.open_at_most_s, it.open_s, inf, " (open_s)")
    _number("open_jitter", it.open_jitter, 0.0, 1.0)
    _whole("trials", it.trials, 1, 10_000)
    if it.trials_at_once is not None:
        _whole("trials_at_once", it.trials_at_once, 1, it.trials, " (trials)")
    if it.trial_failure_rate is not None:
        _rate("trial_failure_rate", it.trial_failure_rate)
    if not isinstance(it.full_round, bool):
        raise ValueError(f"full_round is {it.full_round!r}; it must be True or False")
    _number("half_open_at_most_s", it.half_open_at_most_s, 0.001, _YEAR_S)
    for name, errors in (("failure_on", it.failure_on), ("ignore_on", it.ignore_on)):
        kinds = errors if isinstance(errors, tuple) else (errors,)
        if not (all(_is_error(kind) for kind in kinds) or (callable(errors) and not isinstance(errors, type))):
            raise ValueError(f"{name} is {errors!r}; it must be an exception type, a tuple of them, or a function of one")
    for name, predicate in (("failure_result", it.failure_result), ("ignore_result", it.ignore_result)):
        if predicate is not None and not callable(predicate):
            raise ValueError(f"{name} is {predicate!r}; it must be a function of a result, or None")


def _is_error(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(name: str, value: object, low: int, high: int, why: str = "") -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be a whole number from {low} to {high}{why}")


def _number(name: str, value: object, low: float, high: float, why: str = "") -> None:
    # Written so that NaN fails.
    if not (_is_number(value) and low <= value <= high and value != inf):  # type: ignore[operator]
        raise ValueError(f"{name} is {value!r}; it must be a number from {low:g}{why} to {high:g}")


def _rate(name: str, value: object) -> None:
    if not (_is_number(value) and 0 < value <= 1):  # type: ignore[operator]
        raise ValueError(f"{name} is {value!r}; it must be a number above 0 and at most 1")
