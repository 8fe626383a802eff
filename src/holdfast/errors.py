"""What is wrong with the user's input or machine: what, where, and what to do about it.

Asserts are for us, Problems are for users, answers are for the world: a dead server is an answer, never an exception.
Problems are collected, so that one run tells of every mistake; `Refused` carries them to the command line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Exit codes of every verb.  3 to 6 are never green.
MET = 0
VIOLATED = 1
BAD_INPUT = 2
UNSTEADY = 3
NOT_STRUCK = 4
NOT_CLEANED = 5
INCONCLUSIVE = 6


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a person must change.  `where` is `file:line:column`, a host, or a program."""

    what: str
    where: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        head = f"{self.where}  {self.what}" if self.where else self.what
        return f"{head}\n  remedy: {self.remedy}" if self.remedy else head


class Refused(Exception):
    """holdfast will not go on.  `problems` are complete; `exit_code` is the one of the command line."""

    def __init__(self, problems: Problem | Iterable[Problem], exit_code: int = BAD_INPUT):
        self.problems: Sequence[Problem] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.exit_code = exit_code
        assert self.problems, "a refusal without a reason"
        super().__init__("\n".join(map(str, self.problems)))
