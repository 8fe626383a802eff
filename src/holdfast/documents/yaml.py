"""YAML documents, printed with the reason of a setting as a comment above its key.

Containers are printed in block style by us, scalars by PyYAML; the text is read back and must be what was meant, so no
word can break out of its line.  The order of keys is the caller's, hence the same bytes from run to run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

Path = tuple[str | int, ...]


def dump(document: Mapping[str, Any], whys: Mapping[Path, str] | None = None, *, header: Sequence[str] = ()) -> str:
    """The document as text.  `whys` gives the reason for the key at a path, `header` the comment lines at the top."""
    whys = whys or {}
    for path in whys:
        assert _is_there(document, path), f"no key at {path} to give a reason for"
    comments = [_comment(line, "") for line in header]
    # A blank line, or the last line of the header would read as the reason of the first key.
    gap = [""] if comments else []
    text = "\n".join([*comments, *gap, *(_block(document, (), whys, "") or ["{}"])]) + "\n"
    assert yaml.safe_load(text) == document, "the printed document reads back as another one"
    return text


def load(text: str) -> Any:
    """What such a text says; None where it is no YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def present(whys: Mapping[Path, str], document: Mapping[str, Any]) -> dict[Path, str]:
    """The reasons whose keys this document has: settings that depend on a choice have theirs only then."""
    return {path: why for path, why in whys.items() if _is_there(document, path)}


def _block(value: Mapping[str, Any] | Sequence[Any], path: Path, whys: Mapping[Path, str], indent: str) -> list[str]:
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, below in value.items():
            here = (*path, key)
            lines += [_comment(why, indent) for why in whys.get(here, "").splitlines()]
            if _is_leaf(below):
                lines.append(f"{indent}{_scalar(key)}: {_scalar(below)}")
            else:
                lines.append(f"{indent}{_scalar(key)}:")
                lines += _block(below, here, whys, indent + "  ")
        return lines
    for index, below in enumerate(value):
        here = (*path, index)
        lines += [_comment(why, indent) for why in whys.get(here, "").splitlines()]
        if _is_leaf(below):
            lines.append(f"{indent}- {_scalar(below)}")
        else:
            nested = _block(below, here, whys, indent + "  ")
            # The dash stands before the first line that is no comment, and such comments move to the dash's column.
            first = next(number for number, line in enumerate(nested) if not line.lstrip().startswith("#"))
            lines += [line.removeprefix("  ") for line in nested[:first]]
            lines.append(f"{indent}- {nested[first].removeprefix(indent + '  ')}")
            lines += nested[first + 1 :]
    return lines


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, Mapping | list | tuple) or not value


def _scalar(value: Any) -> str:
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=False, width=2**31, sort_keys=False)
    line = text.removesuffix("...\n").rstrip("\n")
    return _quoted(value) if "\n" in line else line


def _quoted(value: Any) -> str:
    text = yaml.safe_dump(value, default_style='"', width=2**31).rstrip("\n")
    assert "\n" not in text, "a scalar must stay on its line"
    return text


def _comment(line: str, indent: str) -> str:
    assert not set(line) & set("\r\n"), "a comment must stay on its line"
    return f"{indent}# {line}".rstrip()


def _is_there(document: Any, path: Path) -> bool:
    for step in path:
        if not (step in document if isinstance(document, Mapping) else isinstance(step, int) and step < len(document)):
            return False
        document = document[step]
    return True
