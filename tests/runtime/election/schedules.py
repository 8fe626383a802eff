"""Elections in virtual time: the real course of a term and the real requests, against a pretended etcd and a hostile world.

Rules: messages are delayed, lost, doubled and applied after their sender gave up; contenders freeze, crash, resign and run on
clocks of different rates.  All chance comes from one seed, so a schedule that breaks something can be run again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pretend_etcd import PretendEtcd

from holdfast.runtime.election_core import Term, contend
from holdfast.runtime.election_etcd import EtcdSeats
from holdfast.runtime.election_settings import Terms
from holdfast.runtime.election_store import Pause, Unreachable

KINDS = ("freeze", "crash", "resign", "cut", "no quorum", "slow")
CALM_S = 25.0
"""Without faults at the end: long enough for every lease to run out and somebody to lead again."""


@dataclass(frozen=True)
class Blow:
    at_s: float
    kind: str
    node: int
    """-1: whoever holds a seat then."""
    for_s: float


@dataclass(frozen=True)
class Schedule:
    seed: int
    rates: tuple[float, ...]
    """Seconds of each contender's clock per second of etcd's."""
    blows: tuple[Blow, ...]
    seats: int = 1
    ttl_s: float = 5.0
    margin_s: float = 0.5
    storm_s: float = 50.0


@dataclass
class Outcome:
    terms: list[tuple[float, int, int, int]] = field(default_factory=list)
    """When, which contender, which seat, which token."""
    passed: list[tuple[float, int, int, int]] = field(default_factory=list)
    """Writes that passed the fence: when, who, seat, token."""
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


class World:
    def __init__(self, schedule: Schedule):
        self.schedule, self.rng = schedule, Random(schedule.seed)
        self.now_s, self._serial = 0.0, 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.etcd = PretendEtcd(lambda: self.now_s)
        self.nodes = [Node(self, number, rate) for number, rate in enumerate(schedule.rates)]
        self.out = Outcome()
        self.fence: dict[int, int] = {}
        self.no_quorum_until_s = self.slow_until_s = 0.0

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._agenda, (self.now_s + seconds, self._serial, do))

    def run(self) -> Outcome:
        for node in self.nodes:
            self.after(self.rng.random(), node.start)
        for blow in self.schedule.blows:
            self.after(blow.at_s, lambda blow=blow: self.strike(blow))  # type: ignore[misc]
        end_s = self.schedule.storm_s + CALM_S
        while self._agenda and self._agenda[0][0] <= end_s:
            self.now_s, _, do = heapq.heappop(self._agenda)
            do()
        self.now_s = end_s
        if sum(node.believes() for node in self.nodes) != min(self.schedule.seats, len(self.nodes)):
            self.out.wrong.append(f"{CALM_S:g} s without faults, and not every seat has a holder")
        return self.out

    def strike(self, blow: Blow) -> None:
        holders = [node for node in self.nodes if node.believes()]
        node = self.rng.choice(holders) if blow.node < 0 and holders else self.nodes[blow.node % len(self.nodes)]
        until_s = self.now_s + blow.for_s
        if blow.kind == "freeze":
            node.frozen_until_s = max(node.frozen_until_s, until_s)
        elif blow.kind == "cut":
            node.cut_until_s = max(node.cut_until_s, until_s)
        elif blow.kind == "no quorum":
            self.no_quorum_until_s = until_s
        elif blow.kind == "slow":
            self.slow_until_s = until_s
        elif blow.kind == "crash":
            node.crash()
            self.after(blow.for_s, node.start)
        elif blow.kind == "resign":
            node.stopping = True

    def lag_s(self) -> float:
        usual = self.rng.expovariate(1 / 0.01)
        return usual + self.rng.uniform(0, 6.0) if self.now_s < self.slow_until_s and self.rng.random() < 0.3 else usual

    def write(self, node: int, seat: int, token: int) -> None:
        """The resource behind the election: it remembers the greatest token, and refuses an older one."""
        if token < self.fence.get(seat, 0):
            self.out.refused += 1
            return
        self.fence[seat] = token
        self.out.passed.append((self.now_s, node, seat, token))

    def began(self, node: Node, term: Term) -> None:
        where = f"at {self.now_s:.3f} s, seat {term.seat}"
        self.out.wrong += [
            f"{where}: {other.number} believes in token {other.term.token} while {node.number} begins {term.token}"
            for other in self.nodes if other is not node and other.term and other.term.seat == term.seat and other.believes()
        ]
        self.out.wrong += [
            f"{where}: token {term.token} of {node.number} is not above {token} of {holder}"
            for _, holder, seat, token in self.out.terms if seat == term.seat and token >= term.token
        ]
        self.out.terms.append((self.now_s, node.number, term.seat, term.token))


class Node:
    """A contender; its steps are carried out one after the other, as by a thread."""

    def __init__(self, world: World, number: int, rate: float):
        self.world, self.number, self.rate = world, number, rate
        self.offset_s = world.rng.uniform(0, 1000)
        self.frozen_until_s = self.cut_until_s = 0.0
        self.life = 0
        self.stopping = False
        self.term: Term | None = None
        self.steps: Any = None

    def clock(self) -> float:
        return self.offset_s + self.rate * self.world.now_s

    def believes(self) -> bool:
        """As `Term.may_act`, but nothing is noted."""
        return self.term is not None and not self.term.ended and self.clock() < self.term.until_s

    def start(self) -> None:
        schedule = self.world.schedule
        self.life += 1
        self.stopping, self.term = False, None
        terms = Terms(ttl_s=schedule.ttl_s)
        terms.margin_s = schedule.margin_s  # unchecked, so that a test may take it away
        seats = EtcdSeats(self.world.etcd, "model", schedule.seats)
        self.terms = terms
        self.steps = contend(seats, "model", str(self.number), terms, self.clock, self)
        self.go(self.life, None, None)

    def crash(self) -> None:
        self.life += 1
        self.steps, self.term = None, None

    def go(self, life: int, answer: Any, error: Exception | None) -> None:
        """Goes on with an answer, once it is not frozen."""
        if life != self.life:
            return
        if self.world.now_s < self.frozen_until_s:
            self.world.after(self.frozen_until_s - self.world.now_s, lambda: self.go(life, answer, error))
            return
        try:
            step = self.steps.send(answer) if error is None else self.steps.throw(error)
        except StopIteration:
            self.world.after(self.world.rng.uniform(0, 2), self.start)
            return
        if isinstance(step, Pause):
            self.sleep(life, step.seconds)
        elif step.function.__name__ == "change":
            self.world.after(self.world.rng.uniform(0, step.limit_s), lambda: self.go(life, None, None))
        else:
            self.ask(life, step)

    def sleep(self, life: int, seconds: float) -> None:
        """Wakes for a request to stop as well; timers are late at times."""
        if seconds > 1.0 and not self.stopping:
            self.world.after(1.0, lambda: self.awake(life, seconds - 1.0))
        else:
            self.world.after(seconds / self.rate + self.world.rng.expovariate(1 / 0.002), lambda: self.go(life, None, None))

    def awake(self, life: int, left_s: float) -> None:
        if life == self.life:
            self.go(life, None, None) if self.stopping else self.sleep(life, left_s)

    def ask(self, life: int, call: Any) -> None:
        """Each attempt may be applied, be it after we gave up; the first answer that comes back in time counts."""
        world, done = self.world, [False]
        limit_s = call.limit_s / self.rate
        patience_s = min(limit_s, self.terms.attempt_s / self.rate)

        def arrive(again: bool) -> None:
            if world.now_s < self.cut_until_s or world.now_s < world.no_quorum_until_s:
                return
            answer, error = None, None
            try:
                answer = call.run()
            except Exception as refused:
                error = refused
            if again or world.rng.random() > 0.02:
                world.after(world.lag_s(), lambda: finish(answer, error))
            else:
                world.after(world.rng.uniform(0, 3), lambda: arrive(True))  # doubled by a retry at another member

        def finish(answer: Any, error: Exception | None) -> None:
            if not done[0] and not world.now_s < self.cut_until_s:
                done[0] = True
                self.go(life, answer, error)

        def give_up() -> None:
            if not done[0]:
                done[0] = True
                self.go(life, None, Unreachable("nobody answered"))

        attempts = max(1, min(3, int(limit_s / patience_s)))
        for number in range(attempts):
            world.after(number * patience_s + world.lag_s(), lambda: None if done[0] else arrive(False))
            if world.rng.random() < 0.05:
                world.after(number * patience_s + world.lag_s() + world.rng.uniform(0, 8), lambda: arrive(False))
        world.after(min(limit_s, attempts * patience_s), give_up)

    # --- the desk

    def began(self, term: Term) -> None:
        self.term = term
        self.world.began(self, term)
        self.work(self.life, term)

    def waiting(self) -> None: ...

    def well(self) -> None: ...

    def trouble(self, what: str) -> None: ...

    def over(self, term: Term) -> None:
        self.stopping = True

    def work(self, life: int, term: Term) -> None:
        """Looks, thinks, writes; it may freeze in between, and the write may be long on its way."""
        world = self.world
        if life != self.life:
            return
        if world.now_s < self.frozen_until_s:
            world.after(self.frozen_until_s - world.now_s, lambda: self.work(life, term))
            return
        if not term.may_act():
            return

        def send() -> None:
            if world.now_s < self.frozen_until_s:
                world.after(self.frozen_until_s - world.now_s, send)
            elif life == self.life:
                world.after(world.lag_s(), lambda: world.write(self.number, term.seat, term.token))

        world.after(world.rng.expovariate(1 / 0.01), send)
        world.after(0.3, lambda: self.work(life, term))


def drawn(seed: int, **others: Any) -> Schedule:
    """A schedule out of a seed alone."""
    rng = Random(seed)
    count = rng.randint(2, 5)
    return Schedule(**{
        "seed": seed,
        "rates": tuple(rng.uniform(0.905, 1.1) for _ in range(count)),
        "blows": tuple(
            Blow(rng.uniform(0, 45), rng.choice(KINDS), rng.choice((-1, rng.randrange(count))), rng.uniform(0.1, 10))
            for _ in range(rng.randint(1, 14))
        ),
        **others,
    })
