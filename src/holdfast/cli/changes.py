"""What changed from one topology to another: pure functions over two topologies and their blueprints.

The files are those of `holdfast render`, and with them the way in which each program is started.  A change that several hosts
share is told once: a host's own name and address in it are no difference.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Literal

from pydantic import BaseModel

from holdfast.blueprint import Blueprint, Process
from holdfast.cli.promise_changes import Bounds, PromiseChange, promise_changes
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Delay
from holdfast.quantities import shown_seconds, written_seconds
from holdfast.topology.model import Topology

FOLDER = "TOPOLOGY"
"""Stands for the folder of the topology."""

DURATIONS = ("write_outage", "read_outage", "every", "patience", "duration")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One change, the same on all these hosts; `diff` is the one of the first."""

    path: str
    """In production, or `PROCESS (how it runs)`."""
    hosts: tuple[str, ...]
    change: Literal["changed", "added", "removed"]
    diff: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayChange:
    """None: the engine had, or has, no such step."""

    tier: str
    name: str
    setting: str
    old: tuple[float, float] | None
    new: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    hosts_added: tuple[str, ...]
    hosts_removed: tuple[str, ...]
    declared: tuple[tuple[str, str, str], ...]
    """(key, old, new) of objectives, probes, clients, zones and drills, which no rendered file shows."""
    delays: tuple[DelayChange, ...]
    promises: tuple[PromiseChange, ...]
    """What each drill of the suite `full` may cost the clients of a probe."""
    files: tuple[FileChange, ...]

    @property
    def any(self) -> bool:
        return bool(self.hosts_added or self.hosts_removed or self.declared or self.delays or self.promises or self.files)


def changes(old: Topology, new: Topology, old_plan: Blueprint, new_plan: Blueprint) -> Changes:
    before, after = [host.name for host in old_plan.hosts], [host.name for host in new_plan.hosts]
    return Changes(
        hosts_added=tuple(name for name in after if name not in before),
        hosts_removed=tuple(name for name in before if name not in after),
        declared=tuple(_declared(old, new)), delays=tuple(_delays(old, new)),
        promises=tuple(promise_changes(old, new)),
        files=tuple(_files((old_plan, str(old.folder.resolve())), (new_plan, str(new.folder.resolve())))),
    )


# ---- files


def _files(old: tuple[Blueprint, str], new: tuple[Blueprint, str]) -> Iterator[FileChange]:
    """Files of hosts that came or went as a whole are implied by the host.  Each blueprint comes with its topology's folder."""
    before, after = dict(_texts(*old)), dict(_texts(*new))
    common = {host.name for host in old[0].hosts} & {host.name for host in new[0].hosts}
    addresses = {host.name: host.address for plan, _ in (old, new) for host in plan.hosts}
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for host, path in dict.fromkeys((*before, *after)):
        was, now = before.get((host, path)), after.get((host, path))
        if host in common and was != now:
            change = "added" if was is None else "removed" if now is None else "changed"
            diff = _diff(was, now, f"{host}{path}" if path.startswith("/") else f"{host}: {path}")
            groups.setdefault((path, change, _key(diff, host, addresses[host])), []).append((host, diff))
    for (path, change, _), members in groups.items():
        yield FileChange(
            path=path, hosts=tuple(host for host, _ in members), change=change, diff=members[0][1],  # type: ignore[arg-type]
        )


def _texts(plan: Blueprint, folder: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Where the topology itself lies is no difference: the two may be two checkouts."""
    for process in plan.processes:
        for path, file in process.files.items():
            yield (process.host, path), file.text.replace(folder, FOLDER)
        runs = f"{process.name.split('/', 1)[-1]} (how it runs)"
        yield (process.host, runs), _how_it_runs(process).replace(folder, FOLDER)


def _how_it_runs(process: Process) -> str:
    restart = process.restart
    lines = [
        f"command: {' '.join(process.argv)}", f"user: {process.user}", f"folder: {process.cwd}",
        f"stop signal: {process.stop_signal}",
        *(["left-overs of its group are killed before it starts again"] if process.ends_group else []),
        f"restart: {restart.policy} after {written_seconds(restart.delay_s)}"
        + (f", at most {restart.burst} times within {written_seconds(restart.window_s)}" if restart.burst else ""),
        *(f"environment: {name}={value}" for name, value in sorted(process.env.items())),
    ]
    return "".join(f"{line}\n" for line in lines)


def _diff(was: str | None, now: str | None, name: str) -> str:
    lines = unified_diff(
        [] if was is None else was.splitlines(), [] if now is None else now.splitlines(),
        "(none)" if was is None else f"old/{name}", "(none)" if now is None else f"new/{name}", lineterm="",
    )
    return "\n".join(lines) + "\n"


def _key(diff: str, host: str, address: str) -> str:
    """The changed lines alone, without what is the host's own."""
    lines = [line for line in diff.splitlines()[2:] if line[:1] in "+-"]
    text = re.sub(rf"(?<![\w.-]){re.escape(address)}(?![\w-]|\.\d)", "ADDRESS", "\n".join(lines))
    return re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "HOST", text)


# ---- timers


def _delays(old: Topology, new: Topology) -> Iterator[DelayChange]:
    for tier in dict.fromkeys((*old.tiers, *new.tiers)):
        before, after = delays_of(old, tier), delays_of(new, tier)
        for name in dict.fromkeys((*before, *after)):
            was, now = before.get(name), after.get(name)
            if _bounds(was) != _bounds(now):
                setting = (now or was).setting  # type: ignore[union-attr]
                yield DelayChange(tier=tier, name=name, setting=setting, old=_bounds(was), new=_bounds(now))


def delays_of(topology: Topology, tier: str) -> Mapping[str, Delay]:
    if tier not in topology.tiers:
        return {}
    return {delay.name: delay for delay in ENGINES[topology.tiers[tier].engine].delays(tier, topology)}


def _bounds(delay: Delay | None) -> tuple[float, float] | None:
    return None if delay is None else (round(delay.low_s, 6), round(delay.high_s, 6))


# ---- what no file shows


def _declared(old: Topology, new: Topology) -> Iterator[tuple[str, str, str]]:
    before, after = dict(_flat(_said(old), "")), dict(_flat(_said(new), ""))
    for key in dict.fromkeys((*before, *after)):
        was, now = before.get(key, "–"), after.get(key, "–")
        if was != now:
            yield key, was, now


def _said(topology: Topology) -> dict[str, Any]:
    return {
        "service": topology.service, "network": str(topology.network), "zones": ", ".join(topology.zones),
        "objectives": topology.objectives, "clients": topology.clients, "probes": topology.probes,
        "drills": {str(number): drill for number, drill in enumerate(topology.drills, 1)},
    }


def _flat(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flat(part, f"{key}.{name}" if key else str(name))
    elif value is not None:
        seconds = key.rsplit(".", 1)[-1] in DURATIONS and isinstance(value, float)
        yield key, written_seconds(value) if seconds else str(value)


# ---- told


NOT_KNOWN = "These are promises, not measurements: drill both, then `holdfast diff` the two runs."


def told(found: Changes) -> str:
    """For a terminal."""
    if not found.any:
        return "no difference\n"
    parts = []
    hosts = [*(f"+ {name}" for name in found.hosts_added), *(f"- {name}" for name in found.hosts_removed)]
    if hosts:
        parts.append("Hosts\n" + "".join(f"  {line}\n" for line in hosts))
    if found.declared:
        parts.append("Declared\n" + _aligned([(key, f"{was} → {now}") for key, was, now in found.declared]))
    if found.delays:
        rows = [(each.tier, each.name, f"{between(each.old)} → {between(each.new)}", each.setting) for each in found.delays]
        parts.append("Timers\n" + _aligned(rows))
    if found.promises:
        promised = [
            (each.drill, each.probe, f"{_promised(each.old)} → {_promised(each.new)}", f"if {each.given}" if each.given else "")
            for each in found.promises
        ]
        parts.append("Promised outages\n" + _aligned(promised) + f"  {NOT_KNOWN}\n")
    for each in found.files:
        parts.append(f"{each.path}: {each.change} on {', '.join(each.hosts)}\n{each.diff}")
    return "\n".join(parts)


def between(bounds: tuple[float, float] | None) -> str:
    if bounds is None:
        return "none"
    low, high = (shown_seconds(value) if value else "0" for value in bounds)
    return low if low == high else f"{low} to {high}"


def _promised(bounds: Bounds | None) -> str:
    return f"{shown_seconds(bounds[0])} or more" if bounds and bounds[1] is None else between(bounds)  # type: ignore[arg-type]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"  {line}\n" for line in lines)
