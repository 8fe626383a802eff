"""The page of a proof: dated, readable, and about the machine only what makes figures comparable."""

import os
import platform
from collections.abc import Mapping
from typing import Any

from holdfast.lab import doctor
from tools.soak.proof import Proof

PROGRAMS = ("postgres", "patroni", "etcd", "haproxy", "envoy", "keepalived")


def machine() -> dict[str, str]:
    """No name, no address, no path."""
    programs, _ = doctor.find_programs(PROGRAMS, {})
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "cores": str(os.cpu_count()), "kernel": f"{platform.system()} {kernel}", "architecture": platform.machine(),
        "Python": platform.python_version(), "as": "root" if os.geteuid() == 0 else "an ordinary user",
        "programs": ", ".join(f"{name} {program.version}" for name, program in sorted(programs.items())),
    }  # fmt: skip


def day_of(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The day on which the last trial was made."""
    return max(row["day"] for row in rows.values())


def page(proof: Proof, rows: Mapping[str, Mapping[str, Any]], *, facts: Mapping[str, str], source: str) -> str:
    """`rows`: trial to its row, in order.  Markdown."""
    whole = proof.whole([*rows.values()]) if proof.whole else None
    failed = {trial: row for trial, row in rows.items() if not row["passed"]}
    columns = list(dict.fromkeys(key for row in rows.values() for key in row["figures"]))
    lines = [
        f"# {proof.title}", "",
        f"{day_of(rows)}. {proof.claim}", "",
        *((f"**{'Passed' if whole.passed else 'FAILED'}.** {whole.said}", "", *whole.table, "") if whole else ()),
        f"**{len(rows) - len(failed)} of {len(rows)} trials passed.**", "",
    ]  # fmt: skip
    if told := proof.summary([row["figures"] for row in rows.values()]):
        lines += [told, ""]
    for trial, row in failed.items():
        lines += [f"- {trial}: {row['said']}"]
    lines += [""] if failed else []
    lines += [f"| trial | passed | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    for trial, row in rows.items():
        cells = " | ".join(_cell(row["figures"].get(column, "")) for column in columns)
        lines.append(f"| {trial} | {'yes' if row['passed'] else '**no**'} | {cells} |")
    lines += ["", *(f"- {name}: {value}" for name, value in facts.items())]
    lines += [f"- source: {source} (of src/holdfast and tools/soak)"]
    lines += ["", "Made by `make soak`.", ""]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{round(value, 3):g}" if isinstance(value, float) else str(value)
