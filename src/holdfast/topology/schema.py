"""The JSON Schema (draft 2020-12) of topology.yaml, for editors, composed from the very models that read the file.

Rules: nothing about a key is said here that its model does not say; what an editor shows on hovering is the docstring that
stands under the field.
"""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from holdfast.quantities import written_seconds
from holdfast.topology.head import Head, Secret
from holdfast.topology.load import Kinds
from holdfast.topology.model import Client, Drilled, Reliability, Tier
from holdfast.topology.wording import models_in

Schema = dict[str, Any]
_REFERENCE = "#/$defs/"


def schema(kinds: Kinds) -> Schema:
    """The whole schema; the same kinds give the same text."""
    own = [Head, Client, Drilled, Secret, Reliability, Tier]
    models = [*own, *kinds.engines.values(), *kinds.probes.values(), *kinds.faults.values()]
    every = _with_nested(models)
    pointers, found = models_json_schema([(model, "validation") for model in every], by_alias=True)
    names = {model: pointers[model, "validation"]["$ref"].removeprefix(_REFERENCE) for model in every}
    defs = {name: _plain(_explained(model, found["$defs"][name])) for model, name in names.items()}
    parts = {model: defs.pop(names[model]) for model in dict.fromkeys(models)}
    head = parts[Head]
    named = {**{name: _plain(value) for name, value in found["$defs"].items() if name not in names.values()}, **defs}
    named |= {"client": parts[Client], "secret": parts[Secret], "reliability": parts[Reliability]}
    if kinds.mesh_engine in kinds.engines:
        named["mesh"] = parts[kinds.engines[kinds.mesh_engine]]
    if kinds.vip_engine in kinds.engines:
        named["vip_settings"] = parts[kinds.engines[kinds.vip_engine]]
    drills = {name: _merged(parts[Drilled], parts[model], fault=name) for name, model in kinds.faults.items()}
    named["drill"] = _chosen("fault", drills, named)
    named["tier"] = _chosen("engine", {name: _tier(kinds, parts, name) for name in kinds.engines}, named)
    named["probe"] = _probe({name: parts[model] for name, model in kinds.probes.items()}, named)
    properties = dict(head["properties"])
    for key, name in (("clients", "client"), ("tiers", "tier"), ("probes", "probe"), ("secrets", "secret")):
        pointer: Schema = {"$ref": _REFERENCE + name}
        values = {"anyOf": [pointer, {"type": "null"}]} if name == "client" else pointer
        properties[key] = {"description": properties[key]["description"], "type": "object", "additionalProperties": values}
    said = {"description": properties["reliability"]["description"]}
    properties["reliability"] = {**said, "anyOf": [{"$ref": _REFERENCE + "reliability"}, {"type": "null"}]}
    properties["tiers"]["minProperties"] = 1
    properties["zones"]["minItems"] = 1
    properties["drills"] = {**properties["drills"], "items": {"$ref": _REFERENCE + "drill"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "holdfast topology",
        **head,
        "properties": properties,
        "$defs": dict(sorted(named.items())),
    }


def _tier(kinds: Kinds, parts: Mapping[type[BaseModel], Schema], engine: str) -> Schema:
    """What every tier takes and what this engine takes, as one closed set of keys."""
    common, own = parts[Tier], parts[kinds.engines[engine]]
    properties = {name: value for name, value in common["properties"].items() if name != "settings"}
    if kinds.protocols:
        properties["routes"] = {**properties["routes"], "propertyNames": {"enum": sorted(kinds.protocols)}}
    if kinds.mesh_engine in kinds.engines and "mesh" in properties:
        properties["mesh"] = {**properties["mesh"], "anyOf": [{"type": "boolean"}, {"$ref": f"{_REFERENCE}mesh"}]}
    if kinds.vip_engine in kinds.engines and "vip_settings" in properties:
        description = properties["vip_settings"]["description"]
        properties["vip_settings"] = {"description": description, "$ref": f"{_REFERENCE}vip_settings"}
    properties["uses"] = {**properties["uses"], "additionalProperties": {
        "anyOf": [properties["uses"]["additionalProperties"], {"type": "null"}],
    }}
    return _merged({**common, "properties": properties}, own, engine=engine)


def _merged(common: Schema, own: Schema, **chosen: str) -> Schema:
    """What all of a kind take and what the chosen one takes, as one closed set of keys."""
    ((key, value),) = chosen.items()
    shared = {name: each for name, each in common["properties"].items() if name != "settings"}
    merged: Schema = {
        "type": "object",
        "properties": {**own.get("properties", {}), **shared, key: {"const": value}},
        "required": sorted({key, *own.get("required", ())}),
        "additionalProperties": False,
    }
    return {"description": own["description"], **merged} if "description" in own else merged


def _chosen(key: str, kinds: Mapping[str, Schema], named: dict[str, Schema]) -> Schema:
    """Which of the kinds holds is told by the value of the key."""
    branches = []
    for name, kind in kinds.items():
        named[f"{key}-{name}"] = kind
        condition = {"properties": {key: {"const": name}}, "required": [key]}
        branches.append({"if": condition, "then": {"$ref": f"{_REFERENCE}{key}-{name}"}})
    return {"type": "object", "properties": {key: {"enum": list(kinds)}}, "required": [key], "allOf": branches}


def _probe(kinds: Mapping[str, Schema], named: dict[str, Schema]) -> Schema:
    """Which of the kinds holds is told by which of their names is a key."""
    for name, kind in kinds.items():
        named[f"probe-{name}"] = kind
    branches = [{"if": {"required": [name]}, "then": {"$ref": f"{_REFERENCE}probe-{name}"}} for name in kinds]
    return {"type": "object", "anyOf": [{"required": [name]} for name in kinds], "allOf": branches}


def _plain(node: Any) -> Any:
    """Without titles that repeat the key and defaults that say "nothing"; durations' defaults as a person writes them."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    noise = {key for key in ("title", "default") if isinstance(node.get(key), str if key == "title" else dict | list | None)}
    result = {key: _plain(value) for key, value in node.items() if key not in noise}
    if isinstance(result.get("default"), float) and "250ms" in str(result):
        result["default"] = written_seconds(result["default"])
    return result


def _with_nested(models: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """These models and those in their fields."""
    every: dict[type[BaseModel], None] = {}
    waiting = list(models)
    while waiting:
        model = waiting.pop(0)
        if model not in every:
            every[model] = None
            waiting += [inner for about in model.model_fields.values() for inner in models_in(about.annotation)]
    return list(every)


def _explained(model: type[BaseModel], definition: Schema) -> Schema:
    """With the docstring under each field as its description."""
    models = [each for each in reversed(model.__mro__) if issubclass(each, BaseModel) and each is not BaseModel]
    said = {name: text for each in models for name, text in _said(each).items()}
    properties = dict(definition.get("properties", {}))
    for name, about in model.model_fields.items():
        key = about.alias or name
        if name in said and key in properties:
            properties[key] = {"description": said[name], **properties[key]}
    return {**definition, "properties": properties} if properties else definition


def _said(model: type[BaseModel]) -> dict[str, str]:
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0].body  # type: ignore[attr-defined]
    except (OSError, TypeError):  # installed without sources
        return {}
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in zip(body, body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }
