"""Ask every target on its beat, whether or not others answer: open loop, one timer, no task for a question in the clear.

First questions are spread over the beat, so that thousands are not asked in one moment, and a beat that was missed (a machine
that slept, a loop that stood still) is left out, not made up for.  A question that is still open when its target is due again
is given up first: its time may not be longer than its beat.
"""

import asyncio
import errno
import heapq
import random
import socket
import ssl
from collections.abc import Callable, Sequence
from math import floor

import h11

from holdfast.watch import secure
from holdfast.watch.names import LookUp, Names, look_up
from holdfast.watch.readiness import Readiness
from holdfast.watch.reply import Question
from holdfast.watch.target import Answer, Target, Word
from holdfast.watch.threads import Threads
from holdfast.watch.wire import Exchange

_THREADS = 8
_SLICE = 64
"""Due questions that are begun before answers are read again: a burst must not keep the answers waiting."""
SPREAD_S = 5.0
"""Everything is asked once within so many seconds, also what is asked once a minute."""
RENEW_S = 30.0
"""How often names are looked up again."""
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
Asking = Callable[[Word, str, str], None]


def following(moment_s: float, every_s: float, now_s: float) -> float:
    """The next beat of the same row that is still to come."""
    return moment_s + every_s * (1 + max(0, floor((now_s - moment_s) / every_s)))


class Poller:
    """`hear` gets every answer, on the loop.  `wall_s` is asked for the date only where a certificate is watched.

    unable: how many questions could not even be asked, for want of sockets, say; `trouble` is why the last one could not, at
    `trouble_s` on the loop's clock.  Those are no answers: they say nothing of the target.
    """

    def __init__(
        self, targets: Sequence[Target], hear: Callable[[Answer], None], *, seed: int, wall_s: Callable[[], float],
        look_up: LookUp = look_up, renew_s: float = RENEW_S, trust: ssl.SSLContext | None = None,
    ):  # fmt: skip
        self._targets = targets
        self._hear = hear
        self._rng = random.Random(seed)
        self._wall_s = wall_s
        self._look_up, self._renew_s = look_up, renew_s
        self._trust = trust
        self._exchanges: set[Exchange] = set()
        self._questions: dict[str, Question] = {}
        self._looking: set[str] = set()
        self.unable = 0
        self.trouble, self.trouble_s = "", 0.0

    async def run(self) -> None:
        """Until cancelled."""
        hosts = [target.host for target in self._targets if target.kind != "dns"]
        threads = Threads(_THREADS, "holdfast-watch")
        self._threads, self._names = threads, Names(hosts, threads, self._look_up, self._renew_s)
        if self._trust is None and any(target.secure for target in self._targets):
            self._trust = ssl.create_default_context()
        self._ready = Readiness(asyncio.get_running_loop())
        try:
            await self._names.first()
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._names.keep())
                await self._beat(asyncio.get_running_loop())
        finally:
            for exchange in self._exchanges:
                exchange.abandon()
            self._ready.close()
            threads.close()

    async def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        began_s, first = loop.time(), set(range(len(self._targets)))
        spread = self._rng.uniform
        due = [(began_s + spread(0, min(target.every_s, SPREAD_S)), index) for index, target in enumerate(self._targets)]
        heapq.heapify(due)
        while due:
            begun = 0
            while due[0][0] <= loop.time():
                moment_s, index = due[0]
                target = self._targets[index]
                after_s = following(moment_s, target.every_s, loop.time())
                if index in first:
                    first.discard(index)
                    if target.every_s > SPREAD_S:  # they came close together: from here on they do not
                        after_s -= self._rng.uniform(0, target.every_s / 2)
                heapq.heapreplace(due, (after_s, index))
                self._ask(loop, target, moment_s)
                begun += 1
                if begun % _SLICE == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(max(0.0, due[0][0] - loop.time()))

    def _ask(self, loop: asyncio.AbstractEventLoop, target: Target, due_s: float) -> None:
        asked_s = loop.time()

        def answer(word: Word, role: str, detail: str) -> None:
            self._hear(Answer(
                target=target.name, asked_s=asked_s, took_s=loop.time() - asked_s, late_s=max(0.0, asked_s - due_s), word=word,
                role=role, detail=detail,
            ))  # fmt: skip

        if target.kind == "dns":
            self._look(loop, target, answer)
            return
        addresses = self._names.of(target.host)
        if not addresses:
            loop.call_soon(answer, "unknown", "", f"the name {target.host} has no address")
        elif target.secure:
            self._tasks.create_task(self._securely(target, answer))
        else:
            self._plainly(loop, target, answer)

    def _plainly(self, loop: asyncio.AbstractEventLoop, target: Target, answer: Asking) -> None:
        def done(word: Word, role: str, detail: str) -> None:
            timer.cancel()
            self._exchanges.discard(exchange)
            answer(word, role, detail)

        def over() -> None:
            if exchange.connecting:
                self._names.silent(target.host, exchange.tried)
            exchange.give_up()

        try:
            question = self._question(target) if target.kind == "http" else None
            exchange = Exchange(loop, self._ready, target, question, self._names.of(target.host), done)
        except h11.LocalProtocolError as error:
            loop.call_soon(answer, "unknown", "", str(error))
            return
        except OSError as error:
            self._unable(loop, error, answer)
            return
        self._exchanges.add(exchange)
        timer = loop.call_later(min(target.timeout_s, target.every_s), over)

    def _question(self, target: Target) -> Question:
        if (question := self._questions.get(target.name)) is None:
            question = self._questions[target.name] = Question(target)
        return question

    def _unable(self, loop: asyncio.AbstractEventLoop, error: OSError, answer: Asking) -> None:
        reason = error.strerror or str(error)
        if error.errno in _OURS:
            self.unable += 1
            self.trouble, self.trouble_s = reason, loop.time()
        else:
            loop.call_soon(answer, "unknown", "", reason)

    async def _securely(self, target: Target, answer: Asking) -> None:
        assert self._trust
        try:
            found = await secure.ask(target, self._names.of(target.host), self._trust, self._wall_s())
        except Exception as error:  # noqa: BLE001 - a certificate that nobody thought of ends its own question only
            found = ("unknown", "", f"not understood: {type(error).__name__}")
        answer(*found)

    def _look(self, loop: asyncio.AbstractEventLoop, target: Target, answer: Asking) -> None:
        """A lookup cannot be cut short; while one hangs, no second one is begun."""
        if target.name in self._looking:
            loop.call_soon(answer, "unknown", "", "the lookup before still hangs")
            return
        self._looking.add(target.name)
        asked = self._threads.run(lambda: self._look_up(target.host))
        told = False

        def tell(word: Word, detail: str) -> None:
            nonlocal told
            if not told:
                told = True
                timer.cancel()
                answer(word, "", detail)

        def heard(future: "asyncio.Future[Sequence[tuple[int, str]]]") -> None:
            self._looking.discard(target.name)
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                tell("yes", ", ".join(sorted(host for _, host in future.result())))
            else:
                again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
                known = isinstance(error, socket.gaierror) and not again
                tell("no" if known else "unknown", getattr(error, "strerror", None) or str(error))

        timer = loop.call_later(min(target.timeout_s, target.every_s), tell, "unknown", "no answer in time")
        asked.add_done_callback(heard)
