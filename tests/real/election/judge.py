"""What the fence wrote down, judged: pure functions over its lines.

Rules: all hosts of a lab share one monotonic clock, so the moments at which two copies believed that they may act can be
compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    accepted: bool
    who: str
    token: int
    number: int
    believed_at_s: float
    received_at_s: float


def read(lines: Iterable[str]) -> list[Write]:
    writes = []
    for line in lines:
        verdict, who, token, number, believed_at, received_at = line.split()
        writes.append(Write(
            accepted=verdict == "accepted", who=who, token=int(token), number=int(number), believed_at_s=float(believed_at),
            received_at_s=float(received_at),
        ))  # fmt: skip
    return writes


def objections(writes: list[Write]) -> list[str]:
    """Everything that may never happen: an older token passes, two copies share a token, two copies believe at once."""
    wrong = []
    owners: dict[int, str] = {}
    spans: dict[int, tuple[float, float]] = {}
    greatest = 0
    for write in writes:
        if owners.setdefault(write.token, write.who) != write.who:
            wrong.append(f"{owners[write.token]} and {write.who} both write with token {write.token}")
        if write.accepted and write.token < greatest:
            wrong.append(f"token {write.token} of {write.who} passed after {greatest}")
        if write.accepted:
            greatest = max(greatest, write.token)
        first, last = spans.get(write.token, (write.believed_at_s, write.believed_at_s))
        spans[write.token] = min(first, write.believed_at_s), max(last, write.believed_at_s)
    order = sorted(spans)
    for older, newer in zip(order, order[1:], strict=False):
        overlap_s = spans[older][1] - spans[newer][0]
        if overlap_s > 0:
            wrong.append(
                f"{owners[older]} believed in token {older} until {overlap_s:.3f} s after {owners[newer]} believed in {newer}"
            )
    return wrong


def gap_s(writes: list[Write], struck_at_s: float, until_s: float) -> float:
    """The longest time without an accepted write that began or went on after the strike."""
    accepted = [write.received_at_s for write in writes if write.accepted]
    before = [at_s for at_s in accepted if at_s <= struck_at_s]
    times = [*before[-1:], *(at_s for at_s in accepted if struck_at_s < at_s <= until_s), until_s]
    return max((later - sooner for sooner, later in zip(times, times[1:], strict=False)), default=0.0)
