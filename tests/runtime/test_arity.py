"""A guarded function is called exactly as the function itself: keywords, defaults, refusals, names, copies."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import BreakerSettings, Bulkhead, CircuitBreaker, Pipeline, Retry
from holdfast.runtime.arity import arity_of, cut

PICKY = BreakerSettings(failure_on=ConnectionError)


def warm() -> CircuitBreaker:
    breaker = CircuitBreaker("db", PICKY)
    for _ in range(30):
        breaker.call(int)
    return breaker


GUARDS: dict[str, Callable[[], Any]] = {
    "breaker": warm, "breaker that is not warm": lambda: CircuitBreaker("db", PICKY),
    "breaker with a clock": lambda: CircuitBreaker("db", PICKY.replace(slow_call_s=5.0, min_calls=1)),
    "retry": lambda: Retry(), "bulkhead": lambda: Bulkhead(3),
    "all": lambda: Pipeline(Retry(), CircuitBreaker("db", PICKY), Bulkhead(3)),
}  # fmt: skip


@pytest.fixture(params=GUARDS)
def guard(request: pytest.FixtureRequest) -> Any:
    return GUARDS[request.param]()


def nothing(): return "nothing"
def one(a): return a
def two(b, a): return b, a
def three(x, y, z): return x, y, z
def four(x, y, z, a): return x, y, z, a
def defaulted(a, b=2, c=3): return a, b, c
def all_defaulted(a="a", b="b"): return a, b
def by_position(a, b, /): return a, b
def by_position_or_not(a, /, b=5, c=6): return a, b, c
def named_as_ours(era, result, breaker): return era, result, breaker
def named_as_cells(function, arity, clock): return function, arity, clock
def named_as_slots(c, b, a=1): return c, b, a
def named_as_stars(args, kwargs): return args, kwargs
def named_as_retry(retry, raised, error=0): return retry, raised, error
def by_name(a, *, b=2): return a, b
def more(a, *args, **kwargs): return a, args, kwargs
def with_locals(a, b):
    era, function = a, b
    return [(lambda: (era, each))() for each in (function, a)]  # noqa: B023


FUNCTIONS = (
    nothing, one, two, three, four, defaulted, all_defaulted, by_position, by_position_or_not, named_as_ours, named_as_cells,
    named_as_slots, named_as_stars, named_as_retry, by_name, more, with_locals, len, dict, functools.partial(three, 1),
    functools.partial(by_name, b=7),
)  # fmt: skip


def outcome(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        result = function(*args, **kwargs)
        return asyncio.run(result) if inspect.iscoroutine(result) else result
    except TypeError as error:
        return str(error)


def calls(function: Any) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Too few, too many, by position, by name, twice, unknown."""
    code = getattr(function, "__code__", three.__code__)
    names = [*code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], "unknown"]
    chosen = [names[begin:end] for begin, end in itertools.combinations(range(len(names) + 1), 2)]
    return [(tuple(range(10, 10 + count)), dict.fromkeys(keys, "k")) for count in range(6) for keys in [[], *chosen]]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: getattr(function, "__name__", repr(function)))
def test_every_call_gives_or_refuses_what_the_function_itself_would(guard: Any, function: Any) -> None:
    guarded = guard(function)
    for args, kwargs in calls(function):
        assert outcome(guarded, args, kwargs) == outcome(function, args, kwargs), (args, kwargs)


@pytest.mark.parametrize("function", FUNCTIONS[:17], ids=lambda function: function.__name__)
def test_every_call_of_a_coroutine_function_too(guard: Any, function: Any) -> None:
    source = inspect.getsource(function)
    space: dict[str, Any] = {}
    exec(f"async {source}", space)  # noqa: S102 - the same functions, once more with async in front
    afunction = space[function.__name__]
    guarded = guard(afunction)
    assert inspect.iscoroutinefunction(guarded)
    for args, kwargs in calls(function)[::3]:
        assert outcome(guarded, args, kwargs) == outcome(afunction, args, kwargs), (args, kwargs)


def test_names_of_parameters_meet_no_name_of_ours(guard: Any) -> None:
    for function in (named_as_ours, named_as_cells, named_as_slots, named_as_stars, named_as_retry):
        code = guard(function).__code__
        names = [*code.co_varnames, *code.co_freevars]
        assert len(set(names)) == len(names)
        assert names[: code.co_argcount] == list(inspect.signature(function).parameters)


class Client:
    guard = Bulkhead(5)
    breaker = CircuitBreaker("db")

    @breaker
    @guard
    def plain(self, number: int, plus: int = 1) -> tuple[Any, int]:
        return self, number + plus

    @classmethod
    @breaker
    @guard
    def of_class(cls, number: int = 4) -> tuple[Any, int]:
        return cls, number

    @staticmethod
    @breaker
    @guard
    def static(number: int, /) -> int:
        return number

    @breaker
    @guard
    async def later(self, *, number: int) -> tuple[Any, int]:
        return self, number


def test_methods_of_every_kind_bind_as_ever() -> None:
    client = Client()
    assert (client.plain(1), Client.plain(client, number=1, plus=3)) == ((client, 2), (client, 4))
    assert (client.of_class(), Client.of_class(5)) == ((Client, 4), (Client, 5))
    assert (client.static(3), Client.static(4)) == (3, 4)
    assert asyncio.run(client.later(number=7)) == (client, 7)
    assert CircuitBreaker()(client.plain)(plus=5, number=2) == (client, 7)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Client\.plain\(\) missing 1 required positional argument: 'number'"):
        client.plain()  # type: ignore[call-arg]


@Retry()
@CircuitBreaker("db")
def factorial(number: int) -> int:
    return number * factorial(number - 1) if number else 1


def test_a_guarded_function_may_call_itself_and_is_pickled_by_its_name() -> None:
    assert factorial(20) == 2432902008176640000
    assert pickle.loads(pickle.dumps(factorial)) is factorial  # noqa: S301


def test_signature_and_defaults_are_those_of_the_function(guard: Any) -> None:
    def work(a: int, b: str = "b", /, c: float = 0.5) -> str:
        """Doc."""
        return f"{a}{b}{c}"

    guarded = guard(work)
    assert inspect.signature(guarded) == inspect.signature(work)
    assert inspect.signature(guarded, follow_wrapped=False).parameters.keys() == inspect.signature(work).parameters.keys()
    assert (guarded.__defaults__, guarded.__kwdefaults__) == (("b", 0.5), None)
    assert (guarded.__name__, guarded.__doc__, inspect.unwrap(guarded)) == ("work", "Doc.", work)


def test_defaults_are_those_that_the_function_had_when_it_was_guarded(guard: Any) -> None:
    shared: list[int] = []

    def work(number: int, into: list[int] = shared) -> list[int]:
        into.append(number)
        return into

    guarded = guard(work)
    work.__defaults__ = ([9],)
    assert guarded(1) is guarded(2) is shared
    assert guarded.__defaults__ == ([1, 2],)


def test_arguments_that_do_not_fit_never_reach_the_policy() -> None:
    breaker, heard = warm(), []
    guarded = breaker(two)
    with pytest.raises(TypeError):
        guarded(1)
    with pytest.raises(TypeError):
        Retry(on=Exception, listener=heard.append, sleep=lambda _: None)(two)(1)  # type: ignore[call-arg]
    breaker.switch_to("forced_open")
    with pytest.raises(TypeError):
        guarded(1)
    assert (breaker.snapshot().failures_ever, breaker.snapshot().rejected_ever, heard) == (0, 0, [])


@pytest.mark.parametrize("function", FUNCTIONS[:5] + (by_name, more), ids=lambda function: function.__name__)
def test_every_attempt_has_the_same_arguments(function: Any) -> None:
    seen: list[Any] = []

    def failing(*args: Any) -> Any:
        seen.append(args)
        if len(seen) < 3:
            raise ConnectionError
        return function(*args)

    names = [f"p{number}" for number in range(function.__code__.co_argcount)]
    space = {"failing": failing}
    exec(f"def asked({', '.join(names)}): return failing({', '.join(names)})\n"  # noqa: S102 - one function for each arity
         f"async def aasked({', '.join(names)}): return failing({', '.join(names)})", space)
    args = tuple(range(len(names)))

    async def at_once(_: float) -> None:
        pass

    retry = Retry(sleep=lambda _: None, asleep=at_once)
    assert retry(space["asked"])(*args) == function(*args)
    assert seen == [args] * 3
    seen.clear()
    assert asyncio.run(retry(space["aasked"])(*args)) == function(*args)
    assert seen == [args] * 3


def test_a_traceback_shows_the_lines_of_the_template(guard: Any) -> None:
    def work(a: int) -> int:
        raise KeyError(a)

    try:
        guard(work)(1)
    except KeyError as error:
        frames = traceback.extract_tb(error.__traceback__)
    assert frames[-1].name == "work"
    assert all(frame.line for frame in frames)
    assert any("function(a)" in str(frame.line) for frame in frames[1:-1])


def test_only_plain_parameters_have_an_arity() -> None:
    assert [arity_of(each) for each in (nothing, one, two, three, by_position, defaulted)] == [0, 1, 2, 3, 2, 3]
    others = (four, by_name, more, len, Client, Client().plain, functools.partial(one), print)
    assert {arity_of(each) for each in others} == {None}  # type: ignore[arg-type]


def test_a_template_is_left_as_it_is() -> None:
    def template(a: Any, b: Any, c: Any) -> Any:
        return (a, b, c)

    cut(template, one, 1)
    assert template(1, 2, 3) == (1, 2, 3)
    assert cut(template, three, 3)(y=1, z=2, x=3) == (3, 1, 2)
