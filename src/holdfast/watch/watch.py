"""Targets, how they stand, the verdict and its server, put together: what `holdfast watch` and `holdfast up --watch` run.

A verdict of thousands takes tens of milliseconds, so it is made when something changed, and then again only after ten times as
long as it took: a network that breaks for all of them at once must not keep the questions waiting.
"""

import asyncio
import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from holdfast.watch.aggregate import Rule, Verdict, verdict
from holdfast.watch.poll import Poller
from holdfast.watch.room import widen
from holdfast.watch.serve import Server
from holdfast.watch.standing import Standings
from holdfast.watch.target import Answer, Target

LEAST_PAUSE_S = 0.1
SHARE = 10
"""Of this many parts of the time, judging takes one at the most."""
TROUBLE_S = 10.0
"""Trouble of our own is told for so long after the last question that could not be asked."""


class Watch:
    """`told` is called with each verdict that differs from the one before, once everything was asked.

    hosts: names under which browsers may ask for the page, beside addresses and `localhost`.
    """

    def __init__(
        self, service: str, targets: Sequence[Target], rules: Mapping[str, Rule], *, wall_s: Callable[[], float], rise: int = 1,
        fall: int = 2, told: Callable[[Verdict], None] = lambda _: None, hosts: Sequence[str] = (),
    ):  # fmt: skip
        self.targets = targets
        self.standings = Standings(targets, rise=rise, fall=fall)
        self.server = Server(self.verdict, hosts)
        self.judged = 0
        """Verdicts made so far."""
        self._service, self._rules, self._wall_s, self._told = service, rules, wall_s, told
        self._poller: Poller | None = None
        self._current: Verdict | None = None
        self._stale = True
        self._made_s = self._changed_s = 0.0
        self._pause_s = LEAST_PAUSE_S
        self._waiting: asyncio.TimerHandle | None = None
        self._before: tuple[str, str] | None = None

    def verdict(self, *, fresh: bool = False) -> Verdict:
        """As it stood a moment ago; fresh: as it stands now, whatever that costs.  On the loop."""
        now_s = asyncio.get_running_loop().time()
        due = fresh or self._current is None or now_s - self._made_s >= self._pause_s
        if self._current is None or (self._stale and due):
            began_s = time.thread_time()  # what it costs, however busy the machine is
            self._current = verdict(self._service, self.standings, self._rules, trouble=self._trouble(now_s))
            self._pause_s = max(LEAST_PAUSE_S, SHARE * (time.thread_time() - began_s))
            self._stale, self.judged = False, self.judged + 1
            self._made_s = now_s
        return self._current

    def _trouble(self, now_s: float) -> str:
        poller = self._poller
        if poller is None or not poller.unable or now_s - poller.trouble_s > TROUBLE_S:
            return ""
        return f"holdfast itself cannot ask everything ({poller.trouble})"

    @property
    def complete(self) -> bool:
        """Whether everything was asked once."""
        return not self.standings.unasked

    def hear(self, answer: Answer) -> None:
        self._stale = True
        if self.standings.hear(answer) and self._waiting is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(max(0.0, self._changed_s + self._pause_s - loop.time()), self._changed)

    def _changed(self) -> None:
        self._waiting, self._changed_s = None, asyncio.get_running_loop().time()
        found = self.verdict(fresh=True)
        self.server.changed()
        if self.complete and self._before != (found.status, found.why):
            self._before = (found.status, found.why)
            self._told(found)

    async def ask(self, targets: Sequence[Target] | None = None) -> None:
        """Until cancelled."""
        widen()
        seed = random.randrange(2**32)  # spreads first questions, and decides nothing
        asked = self.targets if targets is None else targets
        self._poller = Poller(asked, self.hear, seed=seed, wall_s=self._wall_s)
        try:
            await self._poller.run()
        finally:
            if self._waiting is not None:  # the last change is told, too
                self._waiting.cancel()
                self._changed()

    async def serve(self, listening: socket.socket) -> None:
        """The page and its siblings on this socket, and all questions, until cancelled."""
        async with self.server.on(listening):
            await self.ask()
