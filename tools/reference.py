"""docs/topology.md, from the very models that read the file: `python -m tools.reference` writes it, a test holds it to them.

What is said of a key is the docstring under its field; what is said of a fault or an engine is that of its function or module.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from holdfast.cli.service import kinds
from holdfast.drills import suites
from holdfast.drills.drill import MANY
from holdfast.engines import intent, tls
from holdfast.engines.catalogue import ENGINES
from holdfast.faults.catalogue import FAULTS
from holdfast.topology.schema import schema

PLACE = Path(__file__).parents[1] / "docs" / "topology.md"
COMMON_TIER = (
    "engine", "replicas", "on", "vip", "second_vip", "routes", "uses", "mesh", "capacity", "demand", "reliability", "program",
    "config", "vip_config", "vip_settings",
)
COMMON_PROBE = ("from", "patience")
COMMON_DRILL = ("fault", "tier", "target", "for", "objectives")

Node = Mapping[str, Any]

BEGINNING = """\
# topology.yaml

Every key of the file, from the models that read it (`make reference` writes this page). `holdfast check` tells every mistake
with its line; durations are written with a unit (`250ms`, `2s`, `1h`), shares as `99.95%`, sizes as `64MiB`.

For your editor: `holdfast check --schema > topology.schema.json`, and as the first line of the file

```yaml
# yaml-language-server: $schema=./topology.schema.json
```

which VS Code's YAML extension reads, as do Neovim and others with yaml-language-server; or once for all in VS Code's
settings: `"yaml.schemas": {"./topology.schema.json": "topology.yaml"}`.
"""

TARGETS = """\
| target | who |
|---|---|
| {many} | so many instances of the tier, drawn by lot; a minority is less than half |
| `primary`, `replica` | of a Patroni tier |
| `leader`, `follower` | of an etcd tier |
| `active`, `standby` | who holds the virtual IP of a tier with `vip:`, and who does not |
| `zone a` | every host of the zone |
| `web1` | this host of the tier |

`switchover` takes `primary` only. The word is resolved at the moment of striking.
"""

SECRETS = """\
Passwords are made anew for each run. `NAME` is the tier's with what it is for: `db-app` is the application's password of the
tier `db`. Rendered files hold `secret://NAME` in its place.
"""


RELIABILITY = """\
For `holdfast predict` only: no config and no drill depends on it.

```yaml
reliability:
  beta: 10%                                  # of the failures of equal things, those that strike all of them at once
  hosts: {mtbf: [1y, 4y], mttr: 4h}
  shared:
    dns: {sla: 99.99%}                       # the whole service needs it
    payments: {availability: 99.9%, mttr: 30m, tiers: [web]}
```
"""


def reference() -> str:
    whole = schema(kinds())
    defs: Mapping[str, Node] = whole["$defs"]
    parts = [BEGINNING, _table({key: node for key, node in whole["properties"].items()}, ("service", "tiers"), defs)]
    parts += ["## objectives\n", "Of the whole file, or of one drill.\n", _table(defs["Objectives"]["properties"], (), defs)]
    parts += ["## clients\n", _table(defs["client"]["properties"], (), defs)]
    parts += ["## tiers\n", _of(defs["engine-command"], COMMON_TIER, defs), "`uses: {TIER: ...}` takes\n"]
    parts += [_table(defs["Uses"]["properties"], (), defs), "`ejection` of it takes\n"]
    parts += [_table(defs["Ejection"]["properties"], (), defs)]
    parts += ["### balance\n", _doc(intent), _table(defs["Balance"]["properties"], (), defs)]
    for key, name in (("check", "Check"), ("sessions", "Sessions"), ("rate_limit", "RateLimit")):
        parts += [f"`{key}` of it takes\n", _table(defs[name]["properties"], tuple(defs[name].get("required", ())), defs)]
    parts += ["### tls\n", _doc(tls), _table(defs["Tls"]["properties"], (), defs)]
    for name, engine in ENGINES.items():
        parts += [f"### engine: {name}\n", _doc(engine), _of(defs[f"engine-{name}"], COMMON_TIER, defs, without=True)]
    parts += _likely(defs)
    parts += ["## probes\n", "The first key says which kind it is; both take\n", _of(defs["probe-http"], COMMON_PROBE, defs)]
    for name in ("http", "ledger"):
        parts += [f"### {name}\n", _of(defs[f"probe-{name}"], COMMON_PROBE, defs, without=True)]
    parts += ["## drills\n", "Without `drills:` it is the suite `rehearsal`. Every drill takes\n"]
    parts += [_of(defs["fault-freeze"], COMMON_DRILL, defs), TARGETS.format(many=", ".join(f"`{word}`" for word in MANY))]
    parts += ["### faults\n", "\n".join(_faults(defs)) + "\n"]
    parts += ["### suites\n", "`holdfast drill --suite NAME`:\n", _table_of(inspect.getdoc(suites) or "")]
    parts += ["## secrets\n", SECRETS, _table(defs["secret"]["properties"], (), defs)]
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _likely(defs: Mapping[str, Node]) -> list[str]:
    own = {key: node for key, node in defs["Pool"]["properties"].items() if key not in defs["Rate"]["properties"]}
    shared = {key: node for key, node in defs["Shared"]["properties"].items() if key not in defs["Rate"]["properties"]}
    return [
        "## reliability\n", RELIABILITY, _table(defs["reliability"]["properties"], (), defs),
        "`hosts`, `zones`, `region`, each of `engines` and each of `shared` take\n", _table(defs["Rate"]["properties"], (), defs),
        "and each of `shared` besides\n", _table(shared, (), defs),
        "`reliability:` of a tier takes the same as `hosts`, of its program, and\n", _table(own, (), defs),
    ]


def _of(node: Node, common: tuple[str, ...], defs: Mapping[str, Node], *, without: bool = False) -> str:
    """The common keys of this kind, or those without them."""
    chosen = {key: each for key, each in node["properties"].items() if (key in common) != without}
    order = {key: chosen[key] for key in common if key in chosen} if not without else chosen
    return _table(order, tuple(node.get("required", ())), defs)


def _table(properties: Mapping[str, Node], required: tuple[str, ...], defs: Mapping[str, Node]) -> str:
    if not properties:
        return ""
    lines = ["| key | value | default | |", "|---|---|---|---|"]
    for key, node in properties.items():
        default = "needed" if key in required else f"`{_written(node['default'])}`" if "default" in node else ""
        said = str(node.get("description", "one of those below" if "const" in node else ""))
        said = " ".join(said.split()).replace("|", "\\|")
        lines.append(f"| `{key}` | {_value(node, defs)} | {default} | {said} |")
    return "\n".join(lines) + "\n"


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(node: Node, defs: Mapping[str, Node]) -> str:
    """What may stand there, in a few words."""
    text = str(node.get("examples", "")) or str(node)
    if "const" in node:
        return "its name"
    if "enum" in node:
        return ", ".join(f"`{each}`" for each in node["enum"])
    for example, word in (("250ms", "duration"), ("99.95%", "share"), ("64MiB", "size")):
        if example in text and node.get("type") not in ("object", "array"):
            return word
    if "$ref" in node or "allOf" in node:
        return "keys and values"
    if "anyOf" in node:
        words = [_value(each, defs) for each in node["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    low, high = node.get("minimum"), node.get("maximum")
    bounds = f", {low} to {high}" if None not in (low, high) else f", {low} or more" if low is not None else ""
    words_of = {
        "integer": "whole number", "boolean": "true or false", "string": "text", "array": "list", "object": "keys and values",
    }  # fmt: skip
    formats = {"ipv4": "IPv4 address", "ipv4network": "IPv4 network", "path": "path"}
    return formats.get(str(node.get("format")), words_of.get(str(node.get("type")), "number")) + bounds


def _doc(engine: Any) -> str:
    """The module's docstring: its YAML as YAML."""
    head, *paragraphs = (engine.__doc__ or "").strip("\n").split("\n\n")
    said = [head.partition(": ")[2] or head]
    for paragraph in paragraphs:
        indented = paragraph.startswith("    ")
        said.append(f"```yaml\n{textwrap.dedent(paragraph).rstrip()}\n```" if indented else paragraph.rstrip())
    return "\n\n".join(text[0].upper() + text[1:] if not text.startswith("`") else text for text in said) + "\n"


def _faults(defs: Mapping[str, Node]) -> Iterator[str]:
    yield "| fault | what happens | its own keys |"
    yield "|---|---|---|"
    for name, fault in FAULTS.items():
        own = {key: node for key, node in defs[f"fault-{name}"]["properties"].items() if key not in COMMON_DRILL}
        keys = "<br>".join(_key(key, node, defs) for key, node in own.items())
        yield f"| `{name}` | {fault.summary} | {keys} |"


def _key(key: str, node: Node, defs: Mapping[str, Node]) -> str:
    default = f", default `{_written(node['default'])}`" if "default" in node else ""
    said = " ".join(str(node.get("description", "")).split())
    return f"`{key}` ({_value(node, defs)}{default}): {said}"


def _table_of(text: str) -> str:
    return "\n".join(re.findall(r"^\|.*$", text, re.MULTILINE)) + "\n"


if __name__ == "__main__":
    PLACE.write_text(reference(), "utf-8")
