"""``junit.xml``: one test case for each gate, so that a CI server shows gates as it shows tests.

A failed gate is a failure. An inconclusive gate is skipped, with its reason. One more test case, ``the run is valid``,
is an error if the run is broken, so that nothing of such a run is taken for a pass.
"""

from __future__ import annotations

from xml.etree import ElementTree

from harness.record.gate_result import GateResult
from harness.record.plain_text import plain
from harness.record.summary import Summary
from harness.report import formatting
from harness.report.contents import Exporter


def junit_xml(summary: Summary) -> str:
    """The whole file."""
    suite = ElementTree.Element("testsuite", name=plain(f"{summary.scenario} · {summary.profile}"))
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("run_id", "verdict", "exit_code"):
        ElementTree.SubElement(properties, "property", name=name, value=plain(str(getattr(summary, name))))
    _valid(suite, summary)
    seconds = {phase.name: phase.end_s - phase.start_s for phase in summary.phases}
    for gate in summary.gates:
        _gate(suite, gate, summary, seconds.get(gate.phase or "", summary.duration_s))
    findings = [finding.notice.text for finding in summary.findings]
    warnings = [f"warning: {warning}" for warning in summary.warnings]
    ElementTree.SubElement(suite, "system-out").text = plain("\n".join([*summary.reasons, *findings, *warnings]))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("time", f"{summary.duration_s:.3f}")
    suite.set("timestamp", plain(summary.started_at))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _valid(suite: ElementTree.Element, summary: Summary) -> None:
    case = ElementTree.SubElement(suite, "testcase", name="the run is valid", classname=plain(summary.scenario))
    if summary.verdict == "broken":
        reasons = plain("\n".join(summary.reasons))
        ElementTree.SubElement(case, "error", type="broken", message=reasons or "the run is broken").text = reasons


def _gate(suite: ElementTree.Element, gate: GateResult, summary: Summary, duration_s: float) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=plain(gate.asked),
        classname=plain(f"{summary.scenario}.{gate.phase or 'run'}"),
        time=f"{duration_s:.3f}",
    )
    reason = plain(gate.reason)
    if gate.status == "fail":
        ElementTree.SubElement(case, "failure", type="gate", message=reason).text = _figures(gate)
    elif gate.status == "inconclusive":
        ElementTree.SubElement(case, "skipped", message=f"inconclusive: {reason}")


def _figures(gate: GateResult) -> str:
    lines = [("observed", gate.observed), ("limit", gate.limit), ("baseline", gate.baseline)]
    known = [f"{name} {formatting.in_unit(value, gate.unit)}" for name, value in lines if value is not None]
    if gate.interval:
        known.append(f"95 % interval {formatting.interval(gate.interval, gate.unit)}")
    return "\n".join(known)


JUNIT = Exporter("junit", "junit.xml", lambda report: junit_xml(report.summary))
