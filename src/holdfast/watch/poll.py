"""Ask every target on its beat, whether or not others answer: open loop, one timer, no task for a question.

First questions are spread over the beat, so that thousands are not asked in one moment.  A question that is still open when its
target is due again is given up first: its time may not be longer than its beat.
"""

import asyncio
import heapq
import random
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from holdfast.watch.slow import certificate, lookup
from holdfast.watch.target import Answer, Target, Word
from holdfast.watch.wire import Exchange

_THREADS = 8
_SLICE = 64
"""Due questions that are begun before answers are read again: a burst must not keep the answers waiting."""


class Poller:
    """`hear` gets every answer, on the loop.  `wall_s` is asked for the date only where a certificate is watched."""

    def __init__(
        self, targets: Sequence[Target], hear: Callable[[Answer], None], *, seed: int, wall_s: Callable[[], float],
    ):  # fmt: skip
        self._targets = targets
        self._hear = hear
        self._rng = random.Random(seed)
        self._wall_s = wall_s
        self._addresses: dict[str, str] = {}
        self._open = 0

    @property
    def open(self) -> int:
        """Questions that wait for an answer."""
        return self._open

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        self._addresses = await _resolved(self._targets)
        began_s = loop.time()
        due = [(began_s + self._rng.uniform(0, target.every_s), index) for index, target in enumerate(self._targets)]
        heapq.heapify(due)
        threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="holdfast-watch")
        try:
            while due:
                begun = 0
                while due[0][0] <= loop.time():
                    moment_s, index = due[0]
                    target = self._targets[index]
                    heapq.heapreplace(due, (moment_s + target.every_s, index))
                    self._ask(loop, threads, target, moment_s)
                    begun += 1
                    if begun % _SLICE == 0:
                        await asyncio.sleep(0)
                await asyncio.sleep(max(0.0, due[0][0] - loop.time()))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor, target: Target, due_s: float) -> None:
        asked_s = loop.time()
        self._open += 1

        def done(word: Word, role: str, detail: str) -> None:
            self._open -= 1
            timer.cancel()
            self._hear(Answer(
                target=target.name, asked_s=asked_s, took_s=loop.time() - asked_s, late_s=max(0.0, asked_s - due_s), word=word,
                role=role, detail=detail,
            ))  # fmt: skip

        if target.kind in ("tls", "dns"):
            timer = loop.call_later(3600.0, lambda: None)  # threads keep the time themselves
            asked = loop.run_in_executor(threads, self._slowly, target)
            asked.add_done_callback(lambda future: future.cancelled() or done(future.result()[0], "", future.result()[1]))
            return
        address = self._addresses.get(target.host, "")
        if not address:
            timer = loop.call_later(0, lambda: done("unknown", "", f"the name {target.host} has no address"))
            return
        try:
            exchange = Exchange(loop, target, address, done)
        except OSError as error:  # no file left, say: trouble of our own
            reason = error.strerror or str(error)
            timer = loop.call_later(0, lambda: done("unknown", "", reason))
            return
        timer = loop.call_later(min(target.timeout_s, target.every_s), exchange.give_up)

    def _slowly(self, target: Target) -> tuple[Word, str]:
        return certificate(target, self._wall_s()) if target.kind == "tls" else lookup(target)


async def _resolved(targets: Sequence[Target]) -> dict[str, str]:
    """Host to its first address.  Names are looked up once, at the start; those without an address are missing."""
    loop = asyncio.get_running_loop()
    found: dict[str, str] = {}
    for host in {target.host for target in targets if target.kind != "dns"}:
        try:
            entries = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            continue
        found[host] = str(entries[0][4][0])
    return found
