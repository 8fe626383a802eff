"""`holdfast doctor`: what is here, which faults that allows, and what to install for the rest."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from holdfast.errors import MET
from holdfast.faults.catalogue import FAULTS
from holdfast.faults.fault import Fault
from holdfast.lab import doctor as lab_doctor
from holdfast.lab.loopback import WHY_NOT
from holdfast.lab.namespaces import abilities


def doctor(arguments: argparse.Namespace) -> int:
    machine = lab_doctor.machine()
    programs, missing = lab_doctor.find_programs(tuple(lab_doctor.KNOWN), {})
    lab = "none" if not machine.is_linux else "loopback" if machine.namespaces_refused else "namespaces"
    found: dict[str, Any] = {
        "schema": "holdfast.doctor/1",
        "lab": lab,
        "namespaces_refused": machine.namespaces_refused,
        "namespaces_remedy": machine.remedy,
        "root": machine.is_root,
        "faults": {
            name: _reason(fault, lab, {name: f"{problem.what}: {problem.remedy}" for name, problem in missing.items()})
            for name, fault in FAULTS.items()
        },
        "programs": [
            {"name": each.name, "version": each.version, "path": each.path, "source": each.source} for each in programs.values()
        ],
        "missing": [{"name": name, "remedy": problem.remedy, "what": problem.what} for name, problem in missing.items()],
    }
    print(json.dumps(found, indent=1) if arguments.json else _text(found))
    return MET


def _reason(fault: Fault, lab: str, missing: Mapping[str, str]) -> str:
    """Why it cannot be done here, for a person; "" if it can."""
    if lab == "none":
        return "there is no lab for this system"
    reasons = abilities.lacking() if lab == "namespaces" else WHY_NOT
    return reasons.get(fault.needs) or missing.get(fault.program, "")


def _text(found: dict[str, Any]) -> str:
    lines = [f"lab       {found['lab']}" + (", as root" if found["root"] else ", as an ordinary user")]
    if found["namespaces_refused"]:
        lines.append(f"          namespaces are not to be had: {found['namespaces_refused']}")
    if found["namespaces_remedy"]:
        lines.append(f"          remedy: {found['namespaces_remedy']}")
    able = [name for name, reason in found["faults"].items() if not reason]
    lines.append(f"faults    {', '.join(able) or 'none'}")
    lines += [f"          not {name}: {reason}" for name, reason in found["faults"].items() if reason]
    lines.append("programs")
    lines += [f"  {each['name']:11} {each['version']:9} {each['path']}  ({each['source']})" for each in found["programs"]]
    lines += [f"  {each['name']:11} missing   {each['remedy']}" for each in found["missing"]]
    return "\n".join(lines)


