"""From a file to plain values, with the line and column of every key and value kept.

Rules: what can be read past is collected in `Reading.problems`; what cannot is `Refused` together with all that was found
before; nothing but Refused leaves this module, whatever the bytes.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from holdfast.errors import Problem, Refused
from holdfast.topology.tree import DEEPEST, Keys, Spot, Tree

NAME = "topology.yaml"
LARGEST_BYTES = 1 << 20
LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# What YAML does not let stand in a file (1.2.2, section 5.1).
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One file, read.  `keys` and `values` give the 1-based line and column by path from the root."""

    file: str
    folder: Path
    value: Any
    keys: Mapping[Keys, Spot]
    values: Mapping[Keys, Spot]
    problems: tuple[Problem, ...] = ()

    def at_key(self, *path: str | int) -> str:
        """`file:line:column` of the key at this path, or of the nearest one above."""
        return _nearest(self.file, self.keys, path)

    def at_value(self, *path: str | int) -> str:
        """`file:line:column` of what stands at this path, or of the nearest one above."""
        return _nearest(self.file, self.values, path)


def _nearest(file: str, spots: Mapping[Keys, Spot], path: Keys) -> str:
    while path and path not in spots:
        path = path[:-1]
    line, column = spots.get(path, (1, 1))
    return f"{file}:{line}:{column}"


def read(path: Path | str) -> Reading:
    """Reads a file, or the `topology.yaml` of a folder.  Raises Refused where nothing sensible can be read."""
    file = _chosen(Path(path))
    return understood(_decoded(_bytes(file), str(file)), file=str(file), folder=file.parent)


def _chosen(path: Path) -> Path:
    try:
        if not path.is_dir():
            return path
        inside = path / NAME
        if inside.exists():
            return inside
        others = sorted(other.name for pattern in ("*.yaml", "*.yml") for other in path.glob(pattern))
    except (OSError, ValueError) as error:
        raise Refused(Problem(f"cannot be read: {_reason(error)}", str(path), "name a folder or file that can be read")) from None
    remedy = f"name the file, as in {path / others[0]}" if others else f"write {inside}, or name another folder"
    raise Refused(Problem(f"this folder has no {NAME}", str(path), remedy))


def _bytes(file: Path) -> bytes:
    try:
        if file.exists() and not file.is_file():
            raise Refused(Problem("this is not a file", str(file), "name a file or a folder"))
        with file.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        near = difflib.get_close_matches(file.name, _neighbours(file), n=1, cutoff=0.8)
        guess = f"; did you mean {str(file.with_name(near[0]))!r}?" if near else ""
        remedy = f"name {file.with_name(near[0])}" if near else f"name a folder that has a {NAME}, or the file itself"
        raise Refused(Problem(f"there is no such file{guess}", str(file), remedy)) from None
    except (OSError, ValueError) as error:
        raise Refused(Problem(f"cannot be read: {_reason(error)}", str(file), "name a file that this user may read")) from None
    if len(data) > LARGEST_BYTES:
        remedy = "a topology takes a few kilobytes; name the right file"
        raise Refused(Problem("this file is larger than 1 MiB", str(file), remedy))
    return data


def _neighbours(file: Path) -> list[str]:
    try:
        return [other.name for other in file.parent.iterdir()]
    except OSError:
        return []


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _decoded(data: bytes, file: str) -> str:
    if b"\0" in data:
        line, column = _line_and_column(data[: data.index(b"\0")].decode(errors="replace"))
        raise Refused(Problem("this is a binary file, not text", f"{file}:{line}:{column}", "name a YAML file"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _line_and_column(data[: error.start].decode(errors="replace"))
        raise Refused(Problem("this is not UTF-8 text", f"{file}:{line}:{column}", "save the file as UTF-8")) from None
    if found := _UNPRINTABLE.search(text):
        line, column = _line_and_column(text[: found.start()])
        what = f"the control character {found[0]!r} stands here"
        raise Refused(Problem(what, f"{file}:{line}:{column}", "remove it; inside double quotes it can be written as an escape"))
    return text


def _line_and_column(before: str) -> Spot:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def understood(text: str, *, file: str, folder: Path = Path(), loader: type = LOADER) -> Reading:
    """The values of one YAML document.  Raises Refused for what is not YAML, too deep, too large, or empty."""
    tree = Tree(file=file, events=_events(text, loader))
    try:
        value = tree.document()
    except (yaml.YAMLError, ValueError) as error:  # the pure Python parser lets chr()'s ValueError through
        raise Refused((*tree.problems, _misread(error, file, text))) from None
    if value is None and not tree.problems:
        raise Refused(Problem("this file is empty", f"{file}:1:1", "begin with `service: NAME` and `tiers:`"))
    return Reading(
        file=file, folder=folder, value=value, keys=tree.keys, values=tree.values, problems=tuple(tree.problems),
    )


def _events(text: str, loader: type) -> Iterator[Any]:
    parser = loader(text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _misread(error: Exception, file: str, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Problem(f"this is not YAML: {str(error).splitlines()[0]}", f"{file}:1:1", "correct the file")
    where = f"{file}:{mark.line + 1}:{mark.column + 1}"
    if "nesting depth" in str(getattr(error, "problem", "")):  # a bound of PyYAML 6.0.4's own, met while it scans ahead
        return Problem(f"nested deeper than {DEEPEST} levels", where, "write it flatter")
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: mark.column + 1] and not line[: mark.column].strip():
        return Problem("a tab stands where YAML wants spaces", where, "indent with spaces")
    said = ", ".join(part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    remedy = "look at the indentation, at brackets and quotes left open, and quote text that holds ': ' or ' #'"
    return Problem(f"this is not YAML: {said}", where, remedy)
