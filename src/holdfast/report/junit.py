"""A report as JUnit XML, which every CI system shows: one test case per drill, skipped ones as skipped."""

import re
from xml.etree import ElementTree

from holdfast.report import words
from holdfast.report.findings import Judged, Report

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (section 2.2) cannot hold, even escaped."""


def junit(report: Report) -> str:
    """`violated` is a failure; what shows nothing (void, unsteady, not mended, inconclusive) is an error."""
    failures = sum(drill.verdict == "violated" for drill in report.drills)
    faulty = sum(_is_error(drill) for drill in report.drills)
    nothing = report.verdict == "inconclusive" and not faulty
    suite = ElementTree.Element("testsuite", {
        "name": _clean(f"holdfast {report.service}"), "tests": str(len(report.drills) + nothing), "failures": str(failures),
        "errors": str(faulty + nothing), "skipped": str(len(report.skipped)), "time": f"{sum(map(_length_s, report.drills)):.3f}",
        **({"timestamp": _clean(str(report.run["began_wall"]))} if report.run.get("began_wall") else {}),
    })
    told = ElementTree.SubElement(suite, "properties")
    for name, value in (("verdict", report.verdict), ("exit_code", report.exit_code), ("seed", report.run.get("seed")),
                        ("lab", report.run.get("lab")), ("fidelity", report.run.get("fidelity"))):
        ElementTree.SubElement(told, "property", {"name": name, "value": _clean(str(value))})
    for drill in report.drills:
        _case(suite, report, drill)
    if nothing:
        case = ElementTree.SubElement(suite, "testcase", {"classname": _clean(report.service), "name": "the run", "time": "0"})
        ElementTree.SubElement(case, "error", {"type": "inconclusive", "message": _clean(report.summary)})
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, report: Report, drill: Judged) -> None:
    measured = drill.measure
    case = ElementTree.SubElement(suite, "testcase", {
        "classname": _clean(report.service), "name": _clean(measured.name), "time": f"{_length_s(drill):.3f}",
    })
    reason = drill.reason
    sentences = [finding.sentence for finding in drill.findings]
    if drill.verdict == "skipped":
        ElementTree.SubElement(case, "skipped", {"message": _clean(reason)})
    elif drill.verdict == "violated" or _is_error(drill):
        told = [finding.sentence for finding in drill.violations] or [reason]
        tag = "failure" if drill.verdict == "violated" else "error"
        found = ElementTree.SubElement(case, tag, {"type": drill.verdict, "message": _clean("; ".join(told))})
        found.text = _clean("\n".join(sentences))
    if measured.paths:
        ElementTree.SubElement(case, "system-out").text = _clean("\n".join([
            f"write outage: {words.worst_outage(measured, writes=True)}",
            f"read outage: {words.worst_outage(measured, writes=False)}",
            f"errors: {measured.errors}", f"ambiguous: {measured.ambiguous}", f"lost writes: {words.lost(measured)}",
            f"redundancy back after: {words.redundancy(measured)}", *sentences,
            *(f"{'promise missed: ' if promise.kept is False else ''}{promise.sentence}" for promise in drill.promises),
        ]))


def _is_error(drill: Judged) -> bool:
    return drill.verdict in ("void", "unsteady", "not_mended", "inconclusive")


def _length_s(drill: Judged) -> float:
    measured = drill.measure
    return 0.0 if measured.began_at_s is None or measured.ended_at_s is None else measured.ended_at_s - measured.began_at_s


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
