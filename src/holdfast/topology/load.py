"""From a file to a `Topology`, or to every mistake in it at once.

Rules: this module names no engine, probe or fault, it is handed their setting models as `Kinds`; a broken part is left out
or replaced by its default, so that the rest is still read, and what names it is still compared with what is declared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from holdfast.errors import Problem, Refused
from holdfast.topology import check
from holdfast.topology.changing import Change, changed
from holdfast.topology.head import Head, Secret
from holdfast.topology.model import Client, Declared, Drilled, Reliability, Tier, Topology
from holdfast.topology.own import own_configs
from holdfast.topology.reading import Reading, read
from holdfast.topology.tree import Keys
from holdfast.topology.wording import dotted, in_order, nearest, shown, translated, unknown, unknown_key

M = TypeVar("M", bound=BaseModel)
COMMON = tuple(name for name in Tier.model_fields if name != "settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """What a topology may name, with the models of what the user may write there.

    protocols: what a tier may route, where known; empty leaves that to the engines.
    """

    engines: Mapping[str, type[Declared]]
    probes: Mapping[str, type[BaseModel]]
    faults: Mapping[str, type[BaseModel]]
    vip_engine: str = "keepalived"
    mesh_engine: str = "sidecar"
    protocols: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class _Draft:
    reading: Reading
    kinds: Kinds
    problems: list[Problem] = field(default_factory=list)

    def note(self, what: str, path: Keys, remedy: str, *, key: bool = False) -> None:
        where = self.reading.at_key(*path) if key else self.reading.at_value(*path)
        self.problems.append(Problem(what, where, remedy))


def load(path: Path | str, kinds: Kinds, changes: Sequence[Change] = ()) -> Topology:
    """The topology in this file, or in `topology.yaml` of this folder.  Raises Refused with every problem, in file order.

    changes: values to be taken instead of those in the file.  What is well written but senseless is found by `check.check`;
    only where the file is refused anyway are its references checked here too, so that one run tells of everything.
    """
    reading = changed(read(path), changes)
    draft = _Draft(reading=reading, kinds=kinds, problems=list(reading.problems))
    if not isinstance(reading.value, dict):
        draft.note("a topology is made of keys and values", (), "begin with `service: NAME` and `tiers:`")
        raise Refused(draft.problems)
    topology = _topology(draft)
    if check.countable(topology):
        configs, problems = own_configs(topology, draft.reading.at_value)
        topology = replace(topology, configs=configs)
        draft.problems += problems
    if draft.problems:
        raise Refused(in_order([*draft.problems, *check.references(topology)]))
    return topology


def _topology(draft: _Draft) -> Topology:
    raw = _written(draft.reading.value, ("objectives", "zones", "clients", "probes", "drills", "reliability", "secrets"))
    head = _lenient(draft, Head, raw, (), {"service": "service", "tiers": {}})
    for name in ("zones", "tiers"):
        if name in raw and raw[name] in ([], {}):
            draft.note(f"{name} is empty", (name,), f"name at least one under {name}")
    where = dict(draft.reading.keys)
    tiers = _tiers(draft, head.tiers, where)
    return Topology(
        service=head.service,
        objectives=head.objectives,
        network=head.network,
        # Without zones none can be unknown: a misspelt list of zones is one mistake, not one for each client.
        zones=() if draft.problems and "zones" not in head.model_fields_set and "zones" in raw else head.zones,
        clients={name: _entry(draft, Client, value, ("clients", name)) or Client() for name, value in head.clients.items()},
        tiers=tiers,
        probes=_probes(draft, head.probes),
        drills=_drills(draft, head.drills),
        reliability=_entry(draft, Reliability, head.reliability, ("reliability",)) or Reliability(),
        secrets=_secrets(draft, head.secrets),
        folder=draft.reading.folder,
        where=where,
        file=draft.reading.file,
    )


def _written(raw: Mapping[str, Any], optional: Keys) -> dict[str, Any]:
    """Without the optional keys that have nothing behind them, as when all of `drills:` is commented out."""
    return {key: value for key, value in raw.items() if value is not None or key not in optional}


def _lenient(draft: _Draft, model: type[M], raw: Mapping[str, Any], path: Keys, instead: Mapping[str, Any]) -> M:
    """The model of what is right in `raw`; what is wrong is noted and replaced from `instead` or left to its default."""
    right = dict(raw)
    try:
        made = model.model_validate(right)
    except ValidationError as error:
        draft.problems += translated(error, model, draft.reading, path)
        wrong = {each["loc"][0] for each in error.errors(include_url=False)}
        right = {**instead, **{key: value for key, value in raw.items() if key not in wrong}}
        made = model.model_validate(right)
    if truths := _no_truths(draft.reading, made, raw, path):
        draft.problems += truths
        made = model.model_validate({key: value for key, value in right.items() if not isinstance(value, bool)})
    return made


def _entry(draft: _Draft, model: type[M], raw: Any, path: Keys, also: Keys = ()) -> M | None:
    """The model of one entry, where nothing written counts as `{}`; None where something is wrong with it."""
    raw = {} if raw is None else raw
    if not isinstance(raw, dict):
        draft.note(f"{dotted(path)} must be keys and values, not {shown(raw)}", path, "write it as {key: value}")
        return None
    try:
        made = model.model_validate(raw)
    except ValidationError as error:
        draft.problems += translated(error, model, draft.reading, path, [str(key) for key in also])
        return None
    truths = _no_truths(draft.reading, made, raw, path)
    draft.problems += truths
    return None if truths else made


def _no_truths(reading: Reading, made: BaseModel, raw: Mapping[str, Any], path: Keys) -> list[Problem]:
    """pydantic reads `true` as 1; a person who wrote `replicas: true` did not mean that."""
    problems: list[Problem] = []
    for name, about in type(made).model_fields.items():
        key = about.alias if about.alias in raw else name
        written, value = raw.get(key), getattr(made, name)
        if isinstance(written, bool) and not isinstance(value, bool):
            wanted = "a number" if isinstance(value, int | float) else "text"
            what = f"{dotted((*path, key))} must be {wanted}, not {shown(written)}"
            problems.append(Problem(what, reading.at_value(*path, key), f"write {wanted}"))
        elif isinstance(value, BaseModel) and isinstance(written, dict):
            problems += _no_truths(reading, value, written, (*path, key))
    return problems


def _tiers(draft: _Draft, raw: Mapping[str, Any], where: dict[Keys, tuple[int, int]]) -> dict[str, Tier]:
    tiers = {name: _tier(draft, value, ("tiers", name)) for name, value in raw.items()}
    every: dict[str, Tier] = {}
    for name, tier in tiers.items():
        every[name] = tier = tier.model_copy(update={"replicas": _replicas(tiers, name)})
        if tier.vip is not None:
            added = _derived(draft, tier, ("tiers", name, "vip"), draft.kinds.vip_engine, raw, where)
            every |= {each: lodger.model_copy(update={"config": tier.vip_config}) for each, lodger in added.items()}
            for each in added:
                where["tiers", each, "config"] = where.get(("tiers", name, "vip_config")) or where["tiers", each]
        if tier.meshed:
            every |= _derived(draft, tier, ("tiers", name, "mesh"), draft.kinds.mesh_engine, raw, where)
    return every


def _derived(
    draft: _Draft, tier: Tier, path: Keys, engine: str, taken: Mapping[str, Any], where: dict[Keys, tuple[int, int]]
) -> dict[str, Tier]:
    """The tier that the key at `path`, as in `tiers.web.vip`, adds on the same hosts; nothing where it cannot."""
    _, name, key = path
    derived, model = f"{name}-{key}", draft.kinds.engines.get(engine)
    if model is None:
        purpose = "to hold it" if key == "vip" else "for sidecars"
        draft.note(f"there is no engine {engine!r} {purpose}", path, f"remove {key}")
        return {}
    if derived in taken:
        what = f"the name {derived!r} is taken by the {'virtual IP' if key == 'vip' else 'sidecars'} of {name}"
        keys = f"`{'vip_settings' if key == 'vip' else 'mesh'}:` of {name}"
        draft.note(what, ("tiers", derived), f"give this tier another name; its own keys are written as {keys}", key=True)
        return {}
    written = tier.mesh if key == "mesh" else tier.vip_settings
    at = (*path[:2], "mesh" if key == "mesh" else "vip_settings")
    settings = _entry(draft, model, written if isinstance(written, Mapping) else {}, at) or model()
    for place in (path, at):
        where |= {("tiers", derived, *keys[3:]): spot for keys, spot in list(where.items()) if keys[:3] == place}
    where.setdefault(("tiers", derived), where["tiers", name])
    return {derived: Tier(engine=engine, replicas=tier.replicas, on=str(name), settings=settings)}


def _replicas(tiers: Mapping[str, Tier], name: str) -> int:
    """Its own, else those of the tier whose hosts it is on."""
    seen: set[str] = set()
    while "replicas" not in tiers[name].model_fields_set and tiers[name].on in tiers and name not in seen:
        seen.add(name)
        name = str(tiers[name].on)
    return tiers[name].replicas


def _tier(draft: _Draft, raw: Any, path: Keys) -> Tier:
    if not isinstance(raw, dict):
        what = f"{dotted(path)} must be keys and values, not {shown(raw)}"
        draft.note(what, path, f"write at least {{engine: {next(iter(draft.kinds.engines), 'NAME')}}}")
        return Tier(engine="")
    common = {key: value for key, value in _written(raw, COMMON).items() if key in COMMON}
    rest = {key: value for key, value in raw.items() if key not in COMMON}
    if isinstance(common.get("uses"), dict):
        common["uses"] = {name: {} if value is None else value for name, value in common["uses"].items()}
    model = draft.kinds.engines.get(common["engine"]) if isinstance(common.get("engine"), str) else None
    if "engine" not in common:
        _no_engine(draft, rest, path)
        common["engine"] = ""
    elif model is None and isinstance(common["engine"], str):
        where = draft.reading.at_value(*path, "engine")
        draft.problems.append(unknown("engine", common["engine"], draft.kinds.engines, where))
    tier = _lenient(draft, Tier, common, path, {"engine": ""})
    _common_sense(draft, tier, path)
    return tier if model is None else tier.model_copy(update={"settings": _entry(draft, model, rest, path, COMMON)})


def _no_engine(draft: _Draft, rest: Mapping[str, Any], path: Keys) -> None:
    meant = next((key for key in rest if nearest(key, ["engine"])), None)
    if meant is not None:
        draft.problems.append(unknown_key((*path, meant), COMMON, draft.reading.at_key(*path, meant)))
    else:
        known = ", ".join(draft.kinds.engines)
        draft.note(f"'engine' is missing in {dotted(path)}", path, f"add `engine:`, one of: {known}", key=True)


def _common_sense(draft: _Draft, tier: Tier, path: Keys) -> None:
    """What needs the kinds or the folder to be judged."""
    for protocol in tier.routes:
        if draft.kinds.protocols and protocol not in draft.kinds.protocols:
            where = draft.reading.at_key(*path, "routes", protocol)
            draft.problems.append(unknown("protocol", protocol, draft.kinds.protocols, where))
    for key in ("vip_config", "vip_settings"):
        if getattr(tier, key) and tier.vip is None:
            draft.note(f"{key} has no virtual IP to hold", (*path, key), "add `vip:`, or remove it", key=True)


def _probes(draft: _Draft, raw: Mapping[str, Any]) -> dict[str, Any]:
    probes: dict[str, Any] = {}
    for name, value in raw.items():
        path = ("probes", name)
        kinds = draft.kinds.probes
        kind = next((key for key in value if key in kinds), None) if isinstance(value, dict) else None
        if kind is not None:
            made = _entry(draft, kinds[kind], value, path)
            probes |= {name: made} if made else {}
            continue
        meant = next((key for key in value if nearest(key, kinds)), None) if isinstance(value, dict) else None
        if meant is not None:
            draft.problems.append(unknown_key((*path, meant), kinds, draft.reading.at_key(*path, meant)))
        else:
            draft.note(f"{dotted(path)} does not say what to ask", path, f"add one of: {', '.join(kinds)}", key=True)
    return probes


def _drills(draft: _Draft, raw: list[Any]) -> tuple[Drilled, ...]:
    """The common keys of a drill, and those that its fault takes besides."""
    drills: list[Drilled] = []
    for index, value in enumerate(raw):
        path = ("drills", index)
        fault = value.get("fault") if isinstance(value, dict) else None
        if isinstance(fault, str) and fault not in draft.kinds.faults:
            draft.problems.append(unknown("fault", fault, draft.kinds.faults, draft.reading.at_value(*path, "fault")))
        model = draft.kinds.faults.get(fault) if isinstance(fault, str) else None
        own = {key for name, about in model.model_fields.items() for key in (name, about.alias) if key} if model else set()
        common = {key: given for key, given in value.items() if key not in own} if isinstance(value, dict) else value
        drill = _entry(draft, Drilled, common, path, tuple(sorted(own)))
        if drill and model:
            rest = {key: given for key, given in value.items() if key in own}
            drill = drill.model_copy(update={"settings": _entry(draft, model, rest, path)})
        drills += [drill] if drill else []
    return tuple(drills)


def _secrets(draft: _Draft, raw: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    secrets: dict[str, dict[str, str]] = {}
    for name, value in raw.items():
        secret = _entry(draft, Secret, value, ("secrets", name))
        said = secret.model_dump(exclude_none=True) if secret else {}
        if secret and len(said) != 1:
            what = f"secrets.{shown(name)} must name one source"
            draft.note(what, ("secrets", name), "write {file: PATH} or {env: NAME}", key=True)
        secrets[name] = said
    return secrets
