"""Room for sockets: thousands of questions hang at once, and most systems let a program open 1,024 files unless it asks."""

import resource
from contextlib import suppress

MOST = 1 << 16
_BESIDE = 128
"""Files that are no questions: the page's visitors, the loop's own, the program's."""


def widen() -> None:
    """Up to what the system lets a program take for itself (setrlimit(2): the hard limit)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # then questions beyond the room are told as trouble of our own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def lacking(questions: int) -> int:
    """How many of so many questions could not hang at once; 0: all have room."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else max(0, questions + _BESIDE - soft)
