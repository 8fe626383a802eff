"""Compare what pytest skipped with what may be skipped:  skips.py REPORT.xml PERMITTED  (exit 0: nothing else was, else 1).

REPORT is pytest's JUnit XML.  PERMITTED has a line for each skip that is allowed, `tests/x.py::test_y | reason`; `*` and `?`
stand for anything, in both.  A permitted skip that does not occur is fine.  No report, or one without tests, is red.
"""

import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path


def skipped(report: Path) -> Iterator[tuple[str, str]]:
    """(test, reason) of every skip, a whole module's among them.  Raises ValueError where the report shows no tests."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    if not cases:
        raise ValueError("no test ran")
    for case in cases:
        skip = case.find("skipped")
        if skip is None or skip.get("type") == "pytest.xfail":
            continue
        parts = f"{case.get('classname', '')}.{case.get('name', '')}".strip(".")
        classname = case.get("classname", "")
        test = f"{classname.replace('.', '/')}.py::{case.get('name')}" if classname else f"{parts.replace('.', '/')}.py"
        reason = skip.get("message", "")
        if reason == "collection skipped":  # the reason stands in the text: ('file', line, 'Skipped: reason')
            reason = (skip.text or "").rpartition("Skipped: ")[2].rstrip("')\"")
        yield test, reason


def permitted(listed: Path) -> list[tuple[str, str]]:
    """Raises ValueError for a line that names no reason: a skip is only ever permitted for one."""
    found = []
    for number, line in enumerate(listed.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        test, bar, reason = (part.strip() for part in line.partition("|"))
        if not (test and bar and reason):
            raise ValueError(f"{listed.name}:{number} is not `test | reason`")
        found.append((test, reason))
    return found


def others(report: Path, listed: Path) -> list[str]:
    """Skips that are not permitted, as `test: reason`."""
    allowed = permitted(listed)
    return [
        f"{test}: {reason}" for test, reason in skipped(report)
        if not any(fnmatchcase(test, each) and fnmatchcase(reason, why) for each, why in allowed)
    ]  # fmt: skip


def main(words: list[str]) -> int:
    report, listed = map(Path, words)
    try:
        found = others(report, listed)
    except (OSError, ValueError, ElementTree.ParseError) as error:
        sys.stderr.write(f"ci: the skips cannot be told: {error}\n")
        return 1
    for line in found:
        sys.stderr.write(f"ci: skipped, and {listed.name} does not permit it: {line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
