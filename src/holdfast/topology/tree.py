"""A YAML parser's events into a tree of plain values, with the place of every key and value.

Rules: scalars follow YAML 1.2's core schema (`on`, `yes` and `1:30` are text); keys are always text; because the tree grows from
events, depth and size are bounded while reading, aliases count as what they repeat, and nothing recurses further than `DEEPEST`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from holdfast.errors import Problem, Refused

DEEPEST = 40
MOST_NODES = 100_000

Keys = tuple[str | int, ...]
Spot = tuple[int, int]

_TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"([-+]?[0-9]+)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
# What no name, path or config line can hold, even where YAML could escape it.
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_WORDS = {word: value for value, words in {
    None: ("", "~", "null", "Null", "NULL"), True: ("true", "True", "TRUE"), False: ("false", "False", "FALSE"),
}.items() for word in words}


@dataclass(slots=True, kw_only=True)
class Tree:
    """Grows the value from the events.  `anchors` hold value, number of nodes and height; None while still open."""

    file: str
    events: Iterator[Any]
    problems: list[Problem] = field(default_factory=list)
    keys: dict[Keys, Spot] = field(default_factory=dict)
    values: dict[Keys, Spot] = field(default_factory=dict)
    anchors: dict[str, tuple[Any, int, int] | None] = field(default_factory=dict)
    nodes: int = 0

    def document(self) -> Any:
        value, seen = None, False
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent) and seen:
                self.stop(event, "a second document begins here", "keep one document per file")
            if isinstance(event, yaml.NodeEvent):
                value, seen = self.node(event, ())[0], True
        return value

    def where(self, event: Any) -> str:
        return f"{self.file}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"

    def note(self, event: Any, what: str, remedy: str) -> None:
        self.problems.append(Problem(what, self.where(event), remedy))

    def stop(self, event: Any, what: str, remedy: str) -> None:
        self.note(event, what, remedy)
        raise Refused(self.problems)

    def count(self, event: Any, more: int) -> None:
        self.nodes += more
        if self.nodes > MOST_NODES:
            self.stop(event, f"this file has more than {MOST_NODES} values, counting what aliases repeat", "repeat less")

    def node(self, event: Any, path: Keys) -> tuple[Any, int]:
        """The value that begins with this event, and how many levels it has."""
        self.values[path] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        if len(path) > DEEPEST:
            self.stop(event, f"nested deeper than {DEEPEST} levels", "write it flatter")
        before = self.nodes
        self.count(event, 1)
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value, height = self.scalar(event), 0
        elif isinstance(event, yaml.SequenceStartEvent):
            value, height = self.sequence(event, path)
        else:
            value, height = self.mapping(event, path)
        if event.anchor:
            self.anchors[event.anchor] = (value, self.nodes - before, height)
        return value, height

    def alias(self, event: Any, path: Keys) -> tuple[Any, int]:
        if event.anchor not in self.anchors:
            self.stop(event, f"the alias *{event.anchor} has no anchor before it", f"mark a value with &{event.anchor} first")
        found = self.anchors[event.anchor]
        if found is None:
            self.stop(event, f"the alias *{event.anchor} stands inside of itself", "write the value out")
        value, nodes, height = found
        self.count(event, nodes)
        if len(path) + height > DEEPEST:
            self.stop(event, f"nested deeper than {DEEPEST} levels", "write it flatter")
        return value, height

    def sequence(self, event: Any, path: Keys) -> tuple[list[Any], int]:
        self.tagged(event, "seq")
        items: list[Any] = []
        height = 0
        for inner in self.events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            inside = (*path, len(items))
            self.keys[inside] = (inner.start_mark.line + 1, inner.start_mark.column + 1)
            value, levels = self.node(inner, inside)
            items.append(value)
            height = max(height, levels + 1)
        return items, height

    def mapping(self, event: Any, path: Keys) -> tuple[dict[str, Any], int]:
        self.tagged(event, "map")
        pairs: dict[str, Any] = {}
        height = 0
        for inner in self.events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            key = self.key(inner)
            inside = (*path, key)
            earlier = self.keys.get(inside)
            if earlier:
                what = f"the key {key!r} is given twice, first in line {earlier[0]}"
                self.note(inner, what, "keep one of them")
                # What stands beneath the second one is read for its own mistakes, out of the way of the first.
                inside = (*path, key, f"again in line {inner.start_mark.line + 1}", inner.start_mark.column)
            else:
                self.keys[inside] = (inner.start_mark.line + 1, inner.start_mark.column + 1)
            value, levels = self.node(next(self.events), inside)
            height = max(height, levels + 1)
            if not earlier:
                pairs[key] = value
        return pairs, height

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self.stop(event, "a key must be a plain word", "write the key as text")
        self.count(event, 1)
        if event.value == "<<" and not event.style:
            self.note(event, "merge keys (<<) are not read", "write the keys out")
        self.speakable(event)
        return event.value

    def speakable(self, event: Any) -> None:
        if found := _UNSPEAKABLE.search(event.value):
            self.stop(event, f"the control character {found[0]!r} stands in this text", "remove it")

    def scalar(self, event: Any) -> Any:
        self.speakable(event)
        if event.tag in ("!", _TAG + "str"):
            return event.value
        if event.tag is None:
            return event.value if event.style else self.resolved(event)
        value = self.resolved(event)
        kind = {bool: "bool", int: "int", float: "float", type(None): "null"}.get(type(value), "")
        if event.tag != _TAG + kind:
            self.note(event, f"the tag {event.tag.replace(_TAG, '!!')} does not fit here", "remove the tag")
        return value

    def resolved(self, event: Any) -> Any:
        """A plain scalar's value under the core schema (YAML 1.2.2, section 10.3.2)."""
        text = event.value
        if text in _WORDS:
            return _WORDS[text]
        if whole := _WHOLE.fullmatch(text):
            if len(text) > 40:
                self.stop(event, "this number is too long", "write fewer digits, or put it in quotes")
            return int(text) if whole[1] else int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _INFINITE.fullmatch(text):
            return float(text.replace(".", ""))
        return float("nan") if text in (".nan", ".NaN", ".NAN") else text

    def tagged(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", _TAG + kind):
            self.note(event, f"the tag {event.tag.replace(_TAG, '!!')} does not fit here", "remove the tag")
