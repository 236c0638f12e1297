"""The statements of a phase by time: bounded, however long it lasts and however many endpoints it has."""

from __future__ import annotations

from pathlib import Path

from harness.recording.run import read_run
from harness.report.span_statements import MOST_ENDPOINTS, MOST_PARTS, span_statements
from tests.support.plans import steady
from tests.support.recordings import record_run
from tests.unit.analysis.test_traces import LOOP, Made


def test_a_long_phase_has_a_bounded_number_of_parts_and_endpoints(tmp_path: Path) -> None:
    endpoints = {f"GET /{number}": 1.0 for number in range(30)}
    folder = record_run(tmp_path, phases=[steady(rate=1, seconds=600)], endpoints=endpoints, lead_in_s=0.0)
    made = Made(read_run(folder))
    for number in range(30):
        for repeats in (1, 4):
            request = made.request(at_s=20.0 * number, endpoint=f"GET /{number}")
            root = made.span(request, "server", 0, 100)
            for at in range(repeats):
                made.span(request, "database", at, at + 1, LOOP, root)
    (phase,) = span_statements(made.save())
    assert (len(phase["spans"]), len(phase["rows"])) == (MOST_PARTS, MOST_ENDPOINTS)
    for row in phase["rows"]:
        assert sum(row["traced"]) == 2
        assert sum(row["statements"]) == sum(row["repeated"][0]["times"]) == sum(row["database_ms"]) == 5


def test_a_target_that_records_no_statements_has_none(tmp_path: Path) -> None:
    made = Made(read_run(record_run(tmp_path, phases=[steady(rate=5, seconds=10)])))
    made.span(made.request(), "server", 0, 100)
    assert span_statements(made.save()) == []
