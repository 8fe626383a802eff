"""What the probes hear: every answer into the record, and how calm each path is at the moment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from holdfast.probes.probe import Probe, Reply
from holdfast.record.event import Answer, Asked

CALM_S = 1.0
CALM_BEATS = 20


def calm_s(every_s: float) -> float:
    """How long only good answers must come before a path counts as calm."""
    return max(CALM_S, CALM_BEATS * every_s)


@dataclass(slots=True)
class Path:
    """One probe's recent past."""

    probe: Probe
    last_good_s: float = float("-inf")
    last_bad_s: float = float("inf")
    """Before the first answer nothing is known to be good: calm is counted from there."""
    unsettled: dict[int, Answer] = field(default_factory=dict)
    """What became of each question since the last audit."""

    def is_calm(self, now_s: float) -> bool:
        """Good answers keep coming, and nothing else came for the calm period."""
        fresh = now_s - self.last_good_s < max(0.5, 5 * self.probe.every_s)
        return fresh and now_s - self.last_bad_s > calm_s(self.probe.every_s)


class Hearing:
    """Labels each answer with the drill in which it was due."""

    def __init__(self, probes: Iterable[Probe], write: Callable[[Asked], None]):
        self.paths = {probe.name: Path(probe) for probe in probes}
        self._write = write
        self._drills: list[tuple[float, str]] = []

    def drill_begins(self, at_s: float, name: str) -> None:
        """An empty name: between drills."""
        self._drills.append((at_s, name))

    def heard(self, probe: str, number: int, due_s: float, asked_s: float, answered_s: float, reply: Reply) -> None:
        path = self.paths[probe]
        if path.last_bad_s == float("inf"):
            path.last_bad_s = asked_s
        if reply.answer == "yes":
            path.last_good_s = max(path.last_good_s, answered_s)
        else:
            path.last_bad_s = max(path.last_bad_s, answered_s)
        path.unsettled[number] = reply.answer
        drill = next((name for at_s, name in reversed(self._drills) if at_s <= due_s), "")
        self._write(
            Asked(
                drill=drill, probe=probe, number=number, due_s=due_s, asked_s=asked_s, answered_s=answered_s,
                answer=reply.answer, detail=reply.detail,
            )
        )  # fmt: skip

    def uneasy(self, now_s: float) -> tuple[str, ...]:
        """Names of the probes that are not calm."""
        return tuple(name for name, path in self.paths.items() if not path.is_calm(now_s))
