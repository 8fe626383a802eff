"""Section languages (HAProxy): a line without indent opens a section, indented lines belong to it.

Words are quoted as the HAProxy configuration manual says in "Quoting and escaping": between strong quotes nothing is special.
"""

import re
from collections.abc import Iterator, Sequence

from holdfast.documents.line import Line, comment

_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+=()<>~^*?&;!|{}\[\]-]+")


def dump(sections: Sequence[Line], *, header: Sequence[str] = ()) -> str:
    """The file, with a blank line before each section and a newline at its end."""
    parts = ["\n".join(comment("\n".join(header), ""))] if header else []
    parts += ["\n".join(_section(section)) for section in sections]
    return "\n\n".join(parts) + "\n"


def _section(section: Line) -> Iterator[str]:
    yield from comment(section.why, "")
    yield " ".join(map(word, section.words))
    for below in section.body:
        assert not below.body, "a section language has two levels"
        yield from comment(below.why, "    ")
        yield "    " + " ".join(map(word, below.words))


def word(text: str) -> str:
    assert text.isprintable(), f"{text!r} cannot stand on one line"
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", r"'\''") + "'"
