"""One line of a config language that is made of words: the words, the lines below it, and the reason for it.

A word is data: each printer quotes it, or asserts, so that none breaks out of its line.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    words: tuple[str, ...]
    body: tuple["Line", ...] = ()
    why: str = ""
    """Printed as a comment above; may have several lines."""


def line(*words: str | int, body: tuple[Line, ...] = (), why: str = "") -> Line:
    """Words as they come, numbers printed."""
    return Line(tuple(str(word) for word in words), body, why)


def comment(text: str, indent: str) -> Iterator[str]:
    """Every line of `text` behind a `#`, which HAProxy, keepalived and nginx share."""
    for part in text.splitlines():
        assert part.isprintable(), "a comment must stay on its line"
        yield f"{indent}# {part}".rstrip()
