"""Every style of guarding a call, each as something that can be begun, held while others run, and ended in any way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, ExitStack
from queue import SimpleQueue
from threading import Thread
from types import coroutine
from typing import Any

from holdfast.runtime import CircuitBreaker


class Bad(Exception):
    """The callee failed."""


class Dull(Exception):
    """Ignored."""


class Harmless(Exception):
    """The callee answered, and the answer is no."""


class GivenUp(BaseException):
    """As CancelledError and KeyboardInterrupt: no Exception."""


ERRORS = {"failure": Bad, "ignored": Dull, "given up": GivenUp, "harmless": Harmless}


@coroutine
def _pause() -> Generator[None, None, None]:
    yield


class Held:
    """One call, suspended in its middle."""

    def __init__(self, start: Callable[[], Generator[Any, Any, Any]]):
        self._start = start
        self._steps: Any = None
        self.ended = False

    def begin(self) -> None:
        self._steps = self._start()
        self._steps.send(None)

    def end(self, outcome: str) -> None:
        """The call's own exception must come out, the very same object."""
        self.ended = True
        if outcome == "success":
            try:
                self._steps.send(None)
            except StopIteration:
                return
            raise AssertionError("it goes on")
        error = ERRORS[outcome]()
        try:
            self._steps.throw(error)
        except BaseException as raised:
            came_out = raised
        else:
            came_out = None
        assert came_out is error


def function(breaker: CircuitBreaker) -> Callable[[], Any]:
    """A plain function cannot be held, but one that gives a coroutine can: the call ends when that does."""

    async def work() -> None:
        await _pause()

    return breaker(lambda: work())


def plain_function(breaker: CircuitBreaker) -> Callable[[], Any]:
    return _held_in_a_thread(lambda inner: breaker(inner)())


def call(breaker: CircuitBreaker) -> Callable[[], Any]:
    return _held_in_a_thread(lambda inner: breaker.call(inner))


def _held_in_a_thread(guarded: Callable[[Callable[[], None]], None]) -> Callable[[], Any]:
    """A plain function can be held in its middle only where another thread runs it.  One runs at a time: nothing races."""

    def work() -> Generator[None, None, None]:
        news: SimpleQueue[tuple[str, BaseException | None]] = SimpleQueue()
        orders: SimpleQueue[BaseException | None] = SimpleQueue()

        def inner() -> None:
            news.put(("begun", None))
            if (error := orders.get(timeout=20.0)) is not None:
                raise error

        def whole() -> None:
            try:
                guarded(inner)
            except BaseException as error:
                news.put(("over", error))
            else:
                news.put(("over", None))

        Thread(target=whole, daemon=True).start()
        if (told := news.get(timeout=20.0))[1] is not None:  # not let in
            raise told[1]
        order = None
        try:
            yield
        except BaseException as error:
            order = error
        orders.put(order)
        if (came_out := news.get(timeout=20.0)[1]) is not None:
            raise came_out

    return work


def coroutine_function(breaker: CircuitBreaker) -> Callable[[], Any]:
    @breaker
    async def work() -> None:
        await _pause()

    return work


def acall(breaker: CircuitBreaker) -> Callable[[], Any]:
    async def work() -> None:
        await _pause()

    return lambda: breaker.acall(work)


def generator(breaker: CircuitBreaker) -> Callable[[], Any]:
    @breaker
    def work() -> Generator[None, None, None]:
        yield

    return work


def async_generator(breaker: CircuitBreaker) -> Callable[[], Any]:
    @breaker
    async def items() -> Any:
        await _pause()
        yield 1

    async def read() -> None:
        async for _ in items():
            pass

    return lambda: read()


def with_block(breaker: CircuitBreaker) -> Callable[[], Any]:
    def work() -> Generator[None, None, None]:
        with breaker:
            yield

    return work


def async_with_block(breaker: CircuitBreaker) -> Callable[[], Any]:
    async def work() -> None:
        async with breaker:
            await _pause()

    return work


def exit_stack(breaker: CircuitBreaker) -> Callable[[], Any]:
    def work() -> Generator[None, None, None]:
        with ExitStack() as stack:
            stack.enter_context(breaker)
            yield

    return work


def async_exit_stack(breaker: CircuitBreaker) -> Callable[[], Any]:
    async def work() -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(breaker)
            await _pause()

    return work


def permit(breaker: CircuitBreaker) -> Callable[[], Any]:
    def work() -> Generator[None, None, None]:
        held = breaker.acquire()
        try:
            yield
        except BaseException as error:
            held.raised(error)
            raise
        held.success()

    return work


def permit_block(breaker: CircuitBreaker) -> Callable[[], Any]:
    def work() -> Generator[None, None, None]:
        with breaker.acquire():
            yield

    return work


Started = Callable[[], Generator[Any, Any, Any] | Awaitable[Any]]
STYLES: dict[str, Callable[[CircuitBreaker], Started]] = {
    style.__name__: style
    for style in (
        function, plain_function, call, coroutine_function, acall, generator, async_generator, with_block, async_with_block,
        exit_stack, async_exit_stack, permit, permit_block,
    )
}  # fmt: skip
