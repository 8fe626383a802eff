"""One finding of `safety`: what will hurt, where it is written, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """warning: it will hurt when something breaks.  note: it is worth knowing."""

    level: Level
    rule: str
    what: str
    where: str
    remedy: str
