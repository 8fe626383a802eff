"""Targets, how they stand, the verdict and its server, put together: what `holdfast watch` and `holdfast up --watch` run."""

import random
import socket
from collections.abc import Callable, Mapping, Sequence

from holdfast.watch.aggregate import Rule, Verdict, verdict
from holdfast.watch.poll import Poller
from holdfast.watch.serve import Server
from holdfast.watch.standing import Standings
from holdfast.watch.target import Answer, Target


class Watch:
    """`told` is called with each verdict that differs from the one before, once everything was asked."""

    def __init__(
        self, service: str, targets: Sequence[Target], rules: Mapping[str, Rule], *, wall_s: Callable[[], float], rise: int = 1,
        fall: int = 2, told: Callable[[Verdict], None] = lambda _: None,
    ):  # fmt: skip
        self.targets = targets
        self.standings = Standings(targets, rise=rise, fall=fall)
        self.server = Server(self.verdict)
        self._service, self._rules, self._wall_s, self._told = service, rules, wall_s, told
        self._current: Verdict | None = None
        self._before: tuple[str, str] | None = None

    def verdict(self) -> Verdict:
        """As it stands now; made anew only when something was heard."""
        if self._current is None:
            self._current = verdict(self._service, self.standings, self._rules)
        return self._current

    @property
    def complete(self) -> bool:
        """Whether everything was asked once."""
        return all(each.state != "unasked" for each in self.standings)

    def hear(self, answer: Answer) -> None:
        self._current = None
        if self.standings.hear(answer):
            self.server.changed()
            found = self.verdict()
            if self.complete and self._before != (found.status, found.why):
                self._before = (found.status, found.why)
                self._told(found)

    async def ask(self, targets: Sequence[Target] | None = None) -> None:
        """Until cancelled."""
        seed = random.randrange(2**32)  # spreads first questions, and decides nothing
        await Poller(self.targets if targets is None else targets, self.hear, seed=seed, wall_s=self._wall_s).run()

    async def serve(self, listening: socket.socket) -> None:
        """The page and its siblings on this socket, and all questions, until cancelled."""
        async with await self.server.on(listening):
            await self.ask()
