"""From how targets stand to how members, groups and the service stand: pure functions.

| what | pass | warn | fail |
|---|---|---|---|
| a member (an instance) | its process is there and its service is right | nobody was asked yet | one of its questions is down |
| a group (a tier) | all its weight is up | at least what it needs | less than it needs |
| the service | every group passes | a group warns, or holdfast itself is in trouble | a group fails |

What a group needs: a majority where its members vote (etcd), one primary and no second where they have roles, else one member;
`Rule.need` says otherwise, in members or, where weights are given, in weight.  Members that were not asked yet cannot save a
group that would fail even if they were up.  Members are asked one after the other, so while a role moves two may have named it:
there are two primaries only where the first said so again after the second had.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from holdfast.topology.model import Topology
from holdfast.watch.standing import Standing

Status = Literal["pass", "warn", "fail"]
VOTING = ("etcd",)
LEADING = ("primary", "leader")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """need: the least weight (members, where all weigh 1) that must be up.  leads: exactly one member must have such a role."""

    need: float = 1.0
    leads: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    name: str
    status: Status
    role: str
    why: str
    since_s: float | None
    """When its state began, on the loop's clock."""
    weight: float
    questions: tuple[Standing, ...]
    role_since_s: float = 0.0
    role_asked_s: float = 0.0
    """When it was asked last among those answers that named the role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    name: str
    status: Status
    why: str
    up: float
    need: float
    total: float
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    service: str
    status: Status
    why: str
    groups: tuple[Group, ...]


def rules_of(topology: Topology) -> Mapping[str, Rule]:
    """For every tier; see the table."""
    found = {}
    for name, tier in topology.tiers.items():
        leads = "primary" if tier.engine == "patroni" else ""
        found[name] = Rule(need=tier.replicas // 2 + 1 if tier.engine in VOTING else 1, leads=leads)
    return found


def verdict(service: str, standings: Iterable[Standing], rules: Mapping[str, Rule], *, trouble: str = "") -> Verdict:
    """trouble: why some of what stands here may be old, or ""."""
    groups: dict[str, dict[str, list[Standing]]] = {}
    for standing in standings:
        groups.setdefault(standing.target.group, {}).setdefault(standing.target.member, []).append(standing)
    judged = tuple(_group(name, members, rules.get(name, Rule())) for name, members in groups.items())
    bad = [f"{group.name}: {group.why}" for group in judged if group.status != "pass"]
    status = _worst([*(group.status for group in judged), *(("warn",) if trouble else ())])  # type: ignore[list-item]
    why = "; ".join([*bad, *([trouble] if trouble else [])])
    return Verdict(service=service, status=status, why=why, groups=judged)


def _worst(statuses: Sequence[Status]) -> Status:
    order: Sequence[Status] = ("fail", "warn", "pass")
    return next((status for status in order if status in statuses), "warn")


def _group(name: str, found: Mapping[str, Sequence[Standing]], rule: Rule) -> Group:
    members = tuple(_member(member, questions, rule.weights.get(member, 1.0)) for member, questions in found.items())
    up = sum(member.weight for member in members if member.status == "pass")
    total = sum(member.weight for member in members)
    status, why = _judged(members, up, total, rule)
    return Group(name=name, status=status, why=why, up=up, need=rule.need, total=total, members=members)


def _judged(members: Sequence[Member], up: float, total: float, rule: Rule) -> tuple[Status, str]:
    down = [member for member in members if member.status != "pass"]
    told = ", ".join(f"{member.name} {member.why}" for member in down[:3])
    told += f" and {len(down) - 3} more" if len(down) > 3 else ""
    unasked = sum(member.weight for member in members if member.status == "warn")
    if up + unasked < rule.need:
        return "fail", f"{up:g} of {total:g} up, {rule.need:g} needed: {told}"
    if any(member.status == "warn" for member in members):
        return "warn", told
    leaders = _leaders(members)
    if rule.leads and len(leaders) != 1:
        why = f"{' and '.join(leaders)} each say {rule.leads}" if leaders else f"nobody says {rule.leads}"
        return "fail", f"{why}; {told}" if told else why
    return ("warn", told) if down else ("pass", "")


def _leaders(members: Sequence[Member]) -> Sequence[str]:
    said = [member for member in members if member.status == "pass" and member.role in LEADING]
    newest_s = max((member.role_since_s for member in said), default=0.0)
    return [member.name for member in said if member.role_since_s == newest_s or member.role_asked_s >= newest_s]


def _member(name: str, questions: Sequence[Standing], weight: float) -> Member:
    """Down by its first question that is down: a process that is not there is one cause, and not two symptoms."""
    ordered = sorted(questions, key=lambda standing: (standing.target.level != "process", standing.target.role))
    down = next((standing for standing in ordered if standing.state == "down"), None)
    says = next((standing for standing in ordered if standing.role), None)
    since = [standing.since_s for standing in ordered if standing.state != "unasked"]
    if down is not None:
        detail = down.last.detail if down.last else ""
        why = f"is down ({detail})" if down.target.level == "process" else f"does not serve ({detail})"
        return Member(name=name, status="fail", role="", why=why, since_s=down.since_s, weight=weight, questions=tuple(ordered))
    unasked = any(standing.state == "unasked" for standing in ordered)
    return Member(
        name=name, status="warn" if unasked else "pass", role=says.role if says else "",
        why="was not asked yet" if unasked else "", since_s=max(since, default=None), weight=weight, questions=tuple(ordered),
        role_since_s=says.role_since_s if says else 0.0, role_asked_s=says.role_asked_s if says else 0.0,
    )  # fmt: skip
