"""Charts of what was sampled: only lines with readings, in the unit of the chart."""

from __future__ import annotations

from typing import Any

from harness.record.journal import Journal
from harness.record.journal_entries import Second
from harness.record.resources import Reading
from harness.report.time_series import TimeAxis, line_charts
from tests.support.endpoint_seconds import table_of


def charts_of(readings: list[Reading]) -> dict[str, dict[str, Any]]:
    journal = Journal(run_id="r", epoch_s=1000.0)
    journal.seconds = [Second(second, 5, [], table_of(second, []), []) for second in range(2)]
    return {chart["id"]: chart for chart in line_charts(journal, readings, TimeAxis(journal))}


def test_every_sampled_source_is_a_line_in_the_unit_of_the_chart() -> None:
    charts = charts_of(
        [Reading(1000.5, "target", {"rss_bytes": 5e6}), Reading(1001.5, "generator", {"rss_bytes": 7e6})]
    )
    assert charts["memory"]["suffix"] == " MB"
    assert [(line["name"], line["values"]) for line in charts["memory"]["lines"]] == [
        ("target", [5.0, None]),
        ("generator", [None, 7.0]),
    ]


def test_a_chart_without_readings_says_so() -> None:
    charts = charts_of([])
    for name in ("cpu", "memory", "handles", "generator"):
        assert charts[name]["lines"] == []
        assert charts[name]["empty"]
    assert charts["users"]["lines"][0]["values"] == [5.0, 5.0]
