"""A circuit breaker that is slow and obvious: it keeps everything that ever happened and counts anew at every question.

It is the specification that the fast one is held against.  No jitter, one thread, time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.runtime import BreakerSettings


@dataclass
class Era:
    state: str
    number: int
    began_s: float
    settings: BreakerSettings
    until_s: float = float("inf")
    let_in: int = 0
    ended: list[tuple[float, str, bool]] = field(default_factory=list)
    """(when, outcome, slow) of every call of this era that ended within it."""


class SlowBreaker:
    def __init__(self, settings: BreakerSettings, now_s: float):
        self.settings = settings
        self.eras = [Era("closed", 1, now_s, settings)]
        self.wait_s = 0.0
        self.rejected = 0
        self.opened = 0

    @property
    def era(self) -> Era:
        return self.eras[-1]

    def ask(self, now_s: float) -> Era | None:
        """The era that lets the call in, or None: rejected."""
        if self.era.state == "half_open" and now_s >= self.era.until_s:
            self.open(self.era.until_s)
        if self.era.state == "open" and now_s >= self.era.until_s:
            self.begin("half_open", now_s, now_s + self.settings.half_open_at_most_s)
        if self.era.state in ("open", "forced_open") or (self.era.state == "half_open" and not self._room_for_a_trial()):
            self.rejected += 1
            return None
        self.era.let_in += 1
        return self.era

    def end(self, era: Era, now_s: float, outcome: str, duration_s: float) -> None:
        if era is not self.era:
            return
        if era.state == "half_open" and now_s >= era.until_s:
            self.open(era.until_s)
            return
        limit_s = era.settings.slow_call_s
        era.ended.append((now_s, outcome, limit_s is not None and duration_s >= limit_s))
        if outcome == "ignored":
            return
        if era.state == "closed":
            calls, failures, slow = self.counts(now_s)
            enough = calls >= era.settings.min_calls
            if enough and (failures / calls >= era.settings.failure_rate or slow / calls >= era.settings.slow_rate):
                self.open(now_s)
        elif era.state == "half_open":
            self._verdict(now_s)

    def configure(self, settings: BreakerSettings, now_s: float) -> None:
        self.settings = settings
        if self.era.state in ("closed", "metrics_only"):
            self.wait_s = 0.0
            self.begin(self.era.state, now_s)

    def switch_to(self, state: str, now_s: float) -> None:
        self.wait_s = 0.0
        if state == "open":
            self.open(now_s)
        else:
            self.begin(state, now_s, now_s + self.settings.half_open_at_most_s if state == "half_open" else float("inf"))

    def counts(self, now_s: float) -> tuple[int, int, int]:
        """Calls, failures and slow calls in the window, or in the round."""
        counted = [each for each in self.era.ended if each[1] != "ignored"]
        settings = self.era.settings
        if self.era.state in ("closed", "metrics_only"):
            if settings.window_s is None:
                counted = counted[-settings.window_calls :]
            else:
                length_s = settings.window_s / settings.window_buckets
                bucket = lambda at_s: int((at_s - self.era.began_s) / length_s)  # noqa: E731
                counted = [each for each in counted if bucket(each[0]) > bucket(now_s) - settings.window_buckets]
        elif self.era.state != "half_open":
            counted = []
        return len(counted), sum(each[1] == "failure" for each in counted), sum(each[2] for each in counted)

    def ever(self, outcome: str) -> int:
        counting = [era for era in self.eras if era.state not in ("disabled", "forced_open", "open")]
        return sum(each[1] == outcome for era in counting for each in era.ended)

    def in_flight(self) -> int:
        return self.era.let_in - len(self.era.ended) if self.era.state == "half_open" else 0

    def open(self, at_s: float) -> None:
        grown_s = min(self.wait_s * self.settings.open_growth, self.settings.open_at_most_s)
        self.wait_s = grown_s if self.wait_s else self.settings.open_s
        self.opened += 1
        self.begin("open", at_s, at_s + self.wait_s)

    def begin(self, state: str, at_s: float, until_s: float = float("inf")) -> None:
        if state in ("closed", "metrics_only"):
            self.wait_s = 0.0
        self.eras.append(Era(state, self.era.number + 1, at_s, self.settings, until_s))

    def _room_for_a_trial(self) -> bool:
        ignored = sum(each[1] == "ignored" for each in self.era.ended)
        at_once = self.era.settings.trials_at_once or self.era.settings.trials
        return self.era.let_in - ignored < self.era.settings.trials and self.in_flight() < at_once

    def _verdict(self, now_s: float) -> None:
        """Certain when no way in which the missing trials may end would change it."""
        settings = self.era.settings
        calls, failures, slow = self.counts(now_s)
        missing = settings.trials - calls
        if settings.full_round and missing:
            return
        rate = settings.trial_failure_rate or settings.failure_rate
        bad = lambda failures, slow: (  # noqa: E731
            failures / settings.trials >= rate or slow / settings.trials >= settings.slow_rate
        )
        if bad(failures, slow):
            self.open(now_s)
        elif not bad(failures + missing, 0) and not bad(0, slow + missing):
            self.begin("closed", now_s)
