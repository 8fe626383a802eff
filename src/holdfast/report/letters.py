"""Text for streams that cannot show every letter: a plain one instead of each that is not there, never an exception."""

PLAIN = str.maketrans({
    "≤": "<=", "≥": ">=", "–": "-", "—": "-", "─": "-", "━": "-", "×": "x", "→": "->", "…": "...", "✗": "x", "✓": "+", "·": "-",
    "µ": "u", "\u00a0": " ", "“": '"', "”": '"', "‘": "'", "’": "'",
})


def fitting(text: str, stream: object) -> str:
    """`text` as this stream can show it.  A stream without an encoding takes everything."""
    encoding = getattr(stream, "encoding", None)
    if not encoding:
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    except LookupError:
        return text.translate(PLAIN).encode("ascii", "replace").decode("ascii")
    return text
