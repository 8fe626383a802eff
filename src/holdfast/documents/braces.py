"""Brace languages: keepalived (a line ends a statement) and nginx (a semicolon does)."""

import re
from collections.abc import Iterator, Sequence

from holdfast.documents.line import Line, comment

_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+=~^*?&|$()<>\[\]-]+")


def dump(lines: Sequence[Line], *, header: Sequence[str] = (), end: str = "") -> str:
    """The file; `end` is `;` for nginx.  A blank line stands around the blocks of the first level."""
    parts = ["\n".join(comment("\n".join(header), ""))] if header else []
    parts += ["\n".join(_printed(one, "", end)) for one in lines]
    return "\n\n".join(parts) + "\n"


def _printed(one: Line, indent: str, end: str) -> Iterator[str]:
    yield from comment(one.why, indent)
    head = indent + " ".join(map(word, one.words))
    if not one.body:
        yield head + end
        return
    yield head + " {"
    for below in one.body:
        yield from _printed(below, indent + "    ", end)
    yield indent + "}"


def word(text: str) -> str:
    """Between double quotes a space is plain; what would end the quotes has no safe spelling in both languages."""
    if _PLAIN.fullmatch(text):
        return text
    assert text.isprintable(), f"{text!r} cannot stand on one line"
    assert not set(text) & set("\"\\$"), f"{text!r} cannot be quoted"
    return f'"{text}"'
