"""From what is known of each check to one verdict: pure functions.

Rules: a check is never better than what it said.  The whole fails when a critical check fails or a critical group has lost its
quorum, warns when anything else is amiss, and passes only when everything passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from holdfast.runtime.health.check import Group
from holdfast.runtime.health.results import FAIL, PASS, WARN, CheckReport, GroupReport, Status, worst

__all__ = ["alone", "attributed", "causes", "grouped", "verdict"]


def attributed(checks: Sequence[CheckReport], needs: Mapping[str, Iterable[str]]) -> tuple[CheckReport, ...]:
    """Each failure that is due to another gets that one's name as its cause: the first in the order of `needs`, down to one that
    fails by itself.  `needs` has no circles.
    """
    failing = {check.name for check in checks if check.status is FAIL and not check.excluded}
    roots: dict[str, str] = {}

    def root(name: str) -> str:
        if name not in roots:
            below = next((need for need in needs.get(name, ()) if need in failing), None)
            roots[name] = name if below is None else root(below)
        return roots[name]

    return tuple(
        replace(check, cause=root(check.name)) if check.name in failing and root(check.name) != check.name else check
        for check in checks)


def grouped(checks: Iterable[CheckReport], groups: Iterable[Group]) -> tuple[GroupReport, ...]:
    """Groups without a check among these are left out.  An excluded check is counted as good, as Kubernetes does."""
    found = []
    members: dict[str, list[CheckReport]] = {}
    for check in checks:
        members.setdefault(check.group, []).append(check)
    for group in groups:
        of_it = members.get(group.name)
        if not of_it:
            continue
        good = sum(check.status is not FAIL for check in of_it)
        status = worst(check.status for check in of_it)
        if group.at_least is not None:
            # Also when fewer are registered than the quorum: such a group can never pass.
            status = FAIL if good < group.at_least else WARN if status is FAIL else status
        elif status is FAIL and not any(check.critical and check.status is FAIL for check in of_it):
            status = WARN
        found.append(GroupReport(
            name=group.name, status=status, good=good, members=len(of_it), at_least=group.at_least, critical=group.critical))
    return tuple(found)


def verdict(checks: Iterable[CheckReport], groups: Iterable[GroupReport]) -> Status:
    groups = tuple(groups)
    quorums = {group.name for group in groups if group.at_least is not None}
    said = [_at_most_warn(check.status, check.critical) for check in checks if check.group not in quorums]
    said += [_at_most_warn(group.status, bool(group.critical)) for group in groups if group.name in quorums]
    return worst(said)


def alone(checks: Iterable[CheckReport], groups: Iterable[GroupReport], only: str) -> Status:
    """Of one check or one group, as if everything depended on it.  PASS when it is not among these: its startup is over."""
    for group in groups:
        if group.name == only and group.at_least is not None:
            return group.status
    return worst(check.status for check in checks if only in (check.name, check.group))


def causes(checks: Iterable[CheckReport]) -> tuple[str, ...]:
    return tuple(check.name for check in checks if check.status is FAIL and not check.cause)


def _at_most_warn(status: Status, critical: bool) -> Status:
    return status if critical or status is PASS else WARN
