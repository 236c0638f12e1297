"""junit.xml: a test case a gate, and one that says whether the run is valid at all."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from harness.record.gate_result import GateResult
from harness.record.phase_summary import PhaseSummary
from harness.report.exporters.junit import junit_xml
from tests.support.summaries import a_summary

GATES = [
    GateResult(require="p50 < 1ms", status="pass", phase="steady"),
    GateResult(
        require="p95 < 5ms",
        status="fail",
        phase="steady",
        endpoint="GET /<&\x00\x1b[31m",
        observed=9,
        unit="ms",
        limit=5,
        interval=(8, 10),
        reason="too slow",
    ),
    GateResult(require="p99 <= baseline", status="inconclusive", reason="no baseline"),
]


def suite_of(**more: Any) -> ElementTree.Element:
    given: dict[str, Any] = {
        "phases": [PhaseSummary(index=0, name="steady", kind="steady", model="closed", start_s=5, end_s=15)],
        "gates": GATES,
        "warnings": ["memray is missing"],
    }
    found = ElementTree.fromstring(junit_xml(a_summary(**given | more))).find("testsuite")
    assert found is not None
    return found


@pytest.mark.parametrize(("attribute", "count"), [("tests", "4"), ("failures", "1"), ("errors", "0"), ("skipped", "1")])
def test_the_suite_counts_its_cases(attribute: str, count: str) -> None:
    assert suite_of().get(attribute) == count


def test_a_failed_gate_shows_observed_limit_and_interval() -> None:
    case = suite_of().find("testcase[@name='p95 < 5ms on GET /<&␀']")
    assert case is not None
    assert case.get("classname") == "flash_sale.steady"
    assert case.get("time") == "10.000"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "too slow"
    assert (failure.text or "").replace("\u00a0", " ") == "observed 9 ms\nlimit 5 ms\n95 % interval 8 ms … 10 ms"


def test_an_undecided_gate_is_skipped_with_its_reason() -> None:
    skipped = suite_of().find("testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "inconclusive: no baseline"


def test_a_broken_run_is_an_error_even_if_its_gates_hold() -> None:
    suite = suite_of(verdict="broken", gates=GATES[:1], reasons=["the target died"])
    error = suite.find("testcase[@name='the run is valid']/error")
    assert error is not None
    assert error.get("message") == "the target died"
    assert suite.get("errors") == "1"


def test_warnings_are_listed() -> None:
    assert "warning: memray is missing" in (suite_of().findtext("system-out") or "")
