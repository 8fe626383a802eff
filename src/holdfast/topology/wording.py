"""Mistakes in our own words: what pydantic found, and names that nothing bears, each with its place and a remedy."""

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from holdfast.errors import Problem
from holdfast.topology.reading import Reading
from holdfast.topology.tree import Keys

# What each of pydantic's complaints wants instead, and an example of it; {..} are filled from its context.
WANTED = {
    "int_type": ("a whole number", "3"),
    "int_parsing": ("a whole number", "3"),
    "int_from_float": ("a whole number", "3"),
    "int_parsing_size": ("a smaller whole number", "3"),
    "float_type": ("a number", "1.5"),
    "float_parsing": ("a number", "1.5"),
    "finite_number": ("a finite number", "3"),
    "bool_type": ("true or false", "true"),
    "bool_parsing": ("true or false", "true"),
    "string_type": ("text", ""),
    "path_type": ("a path", "./haproxy.cfg"),
    "ip_v4_address": ("an IPv4 address", "10.0.1.100"),
    "ip_v4_network": ("an IPv4 network whose host bits are zero", "10.0.1.0/24"),
    "list_type": ("a list", "[a, b]"),
    "tuple_type": ("a list", "[a, b]"),
    "set_type": ("a list", "[a, b]"),
    "frozen_set_type": ("a list", "[a, b]"),
    "dict_type": ("keys and values", "{key: value}"),
    "mapping_type": ("keys and values", "{key: value}"),
    "model_type": ("keys and values", "{key: value}"),
    "model_attributes_type": ("keys and values", "{key: value}"),
    "greater_than": ("more than {gt}", ""),
    "greater_than_equal": ("at least {ge}", ""),
    "less_than": ("less than {lt}", ""),
    "less_than_equal": ("at most {le}", ""),
    "multiple_of": ("a multiple of {multiple_of}", ""),
    "too_short": ("at least {min_length} long", ""),
    "too_long": ("at most {max_length} long", ""),
    "string_too_short": ("at least {min_length} characters long", ""),
    "string_too_long": ("at most {max_length} characters long", ""),
    "string_pattern_mismatch": ("text of the form {pattern}", ""),
    "literal_error": ("one of {expected}", ""),
    "enum": ("one of {expected}", ""),
}


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each once, as they stand in the file."""

    def line_and_column(problem: Problem) -> list[int]:
        return [int(part) for part in problem.where.split(":")[-2:] if part.isdigit()]

    return tuple(sorted(dict.fromkeys(problems), key=line_and_column))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or ""."""
    lowered = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower()[:100], lowered, n=1, cutoff=0.6)
    # Two letters exchanged in a short name are half of it for difflib.
    exchanged = [name for name in lowered if sorted(name) == sorted(word.lower())]
    return lowered[(found or exchanged)[0]] if found or exchanged else ""


def unknown(kind: str, word: str, known: Iterable[str], where: str) -> Problem:
    """`there is no tier 'wbe'; did you mean 'web'?`"""
    names = sorted(set(known))
    meant = nearest(word, names)
    guess = f"; did you mean {meant!r}?" if meant else ""
    return Problem(f"there is no {kind} {shown(word)}{guess}", where, _choice(meant, names, f"declare the {kind} first"))


def unknown_key(path: Keys, known: Iterable[str], where: str, present: Iterable[str] = ()) -> Problem:
    """`unknown key 'replcas' in tiers.web; did you mean 'replicas'?`  `present`: keys that stand beside it."""
    names = sorted(set(known))
    meant = nearest(str(path[-1]), names)
    guess = f"; did you mean {meant!r}?" if meant else ""
    inside = f" in {dotted(path[:-1])}" if path[:-1] else ""
    if meant in present:
        return Problem(f"unknown key {shown(path[-1])}{inside}; {meant!r} is there already", where, "remove it")
    return Problem(f"unknown key {shown(path[-1])}{inside}{guess}", where, _choice(meant, names, "remove it"))


def _choice(meant: str, names: list[str], otherwise: str) -> str:
    if meant:
        return f"write {meant}"
    return f"use one of: {', '.join(names[:30])}" if names else otherwise


def dotted(path: Keys) -> str:
    """`drills[2].fault`"""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".") or "the file"


def shown(value: Any) -> str:
    """A value as the file might say it, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "keys and values" if isinstance(value, dict) else "a list"
    return repr(f"{value[:57]}..." if isinstance(value, str) and len(value) > 60 else value)


def translated(
    error: ValidationError, model: type[BaseModel], reading: Reading, path: Keys, also: Iterable[str] = (),
) -> list[Problem]:
    """pydantic's findings as Problems.  `path` is where the model's value stands, `also` are keys that others read there."""
    wrong: dict[Keys, list[tuple[str, str, Any]]] = {}
    unknowns: dict[Keys, Problem] = {}
    missing: list[Keys] = []
    for each in error.errors(include_url=False):
        spot = _within(reading, path, each["loc"], missing=each["type"] == "missing")
        if each["type"] == "extra_forbidden":
            known = [*_known(model, each["loc"][:-1]), *(also if len(each["loc"]) == 1 else ())]
            unknowns[spot] = unknown_key(spot, known, reading.at_key(*spot), _beside(reading, spot))
        elif each["type"] == "missing":
            missing.append(spot)
        else:
            wrong.setdefault(spot, []).append((*_said(each), each.get("input")))
    meant = {(*spot[:-1], nearest(str(spot[-1]), [str(lost[-1]) for lost in missing])) for spot in unknowns}
    problems = list(unknowns.values())
    problems += [_missing(spot, reading) for spot in missing if spot not in meant]
    problems += [_wrong(spot, said, reading) for spot, said in wrong.items()]
    return problems


def _within(reading: Reading, path: Keys, loc: Keys, *, missing: bool) -> Keys:
    """The path in the file: pydantic also names branches of unions and validators, which are not in the file."""
    value: Any = reading.value
    for step in path:
        value = value[step]
    for step in loc[:-1] if missing else loc:
        held = step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value))
        if held:
            path, value = (*path, step), value[step]
    return (*path, loc[-1]) if missing else path


def _beside(reading: Reading, spot: Keys) -> list[str]:
    value: Any = reading.value
    for step in spot[:-1]:
        value = value[step]
    return [str(key) for key in value] if isinstance(value, dict) else []


def _known(model: type[BaseModel], loc: Keys) -> list[str]:
    """The keys that the model at `loc` beneath this one would have taken."""
    models = [model]
    for step in loc:
        fields = [field for each in models for name, field in each.model_fields.items() if step in (name, field.alias)]
        models = [found for field in fields for found in models_in(field.annotation)] or models
    return [field.alias or name for each in models for name, field in each.model_fields.items()]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that this annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def _said(error: Any) -> tuple[str, str]:
    """(what is wanted, an example), or ("", a whole sentence of a validator of ours)."""
    context = error.get("ctx", {})
    if error["type"] in ("value_error", "assertion_error"):
        return "", str(context.get("error", error["msg"]))
    wanted, example = WANTED.get(error["type"], ("", ""))
    if not wanted:
        return "", error["msg"]
    wanted = wanted.format_map({key: str(value) for key, value in context.items()})
    if "expected" in context:
        example = nearest(str(error.get("input")), re.findall(r"'([^']*)'", str(context["expected"])))
    return wanted, example


def _missing(spot: Keys, reading: Reading) -> Problem:
    inside = f" in {dotted(spot[:-1])}" if spot[:-1] else ""
    return Problem(f"{spot[-1]!r} is missing{inside}", reading.at_key(*spot[:-1]), f"add `{spot[-1]}:`")


def _wrong(spot: Keys, said: list[tuple[str, str, Any]], reading: Reading) -> Problem:
    where, name, value = reading.at_value(*spot), dotted(spot), said[0][2]
    sentences = [sentence for wanted, sentence, _ in said if not wanted]
    if sentences:
        what, _, remedy = sentences[0].partition("; ")
        if spot and spot[-1] == "every" and isinstance(value, int | float) and value > 3:
            remedy = remedy.replace(f"as in {value}s", f"as in {value}ms")  # nobody asks a service every 50 seconds
        return Problem(f"{name}: {what}", where, remedy or f"correct {spot[-1] if spot else 'it'}")
    wanted = " or ".join(dict.fromkeys(wanted for wanted, _, _ in said))
    what = f"{name} must be {wanted}, not {shown(value)}"
    example = next((example for _, example, _ in said if example), "")
    if example and "one of" in wanted:
        return Problem(f"{what}; did you mean {example!r}?", where, f"write {example}")
    if wanted == "text" and isinstance(value, int | float):
        return Problem(what, where, f'put it in quotes: "{shown(value)}"')
    return Problem(what, where, f"write {wanted}" + (f", as in {example}" if example else ""))
