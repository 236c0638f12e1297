"""Charts of the surroundings: a counter as a rate, a gauge as it was, a ratio of what was added up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.plan.model.run import RunPlan
from harness.plan.model.sampling import MetricsSource
from harness.record.metric_readings import METRIC_READINGS, MetricReading
from harness.record.run_folder import read_model, write_text
from harness.recording import RunRecording, open_recording
from harness.report.series_over_time import series_charts
from harness.report.time_series import TimeAxis
from tests.support.plans import steady
from tests.support.recordings import EPOCH_S, record_run

SOURCES = (
    MetricsSource(name="shop", kind="prometheus", url="/metrics"),
    MetricsSource(name="cache", kind="redis", url="redis://127.0.0.1"),
)


def charts_of(folder: Path) -> dict[str, dict[str, Any]]:
    run = record_run(folder, phases=[steady(seconds=4)], lead_in_s=0)
    plan = read_model(run.plan, RunPlan)
    sampling = plan.sampling.model_copy(update={"metrics": SOURCES})
    write_text(run.plan, plan.model_copy(update={"sampling": sampling}).model_dump_json())
    writer = METRIC_READINGS.writer(run.metrics)
    for second in range(4):
        at_s = EPOCH_S + second + 0.5
        writer.write(MetricReading(at_s, "shop", {"in_use": float(second), "idle": 0.0}, {"orders": 10.0 * second}))
        counters = {"keyspace_hits": 3.0 * second, "keyspace_misses": 1.0 * second, "evicted_keys": 0.0}
        writer.write(MetricReading(at_s, "cache", {"connected_clients": 2.0}, counters))
    writer.close()
    recording = open_recording(run)
    assert isinstance(recording, RunRecording)
    return {chart["title"]: chart for chart in series_charts(recording, TimeAxis(recording.journal))}


def test_each_series_of_a_page_is_a_chart_and_those_of_a_cache_share_some(tmp_path: Path) -> None:
    charts = charts_of(tmp_path)
    lines = {title: [line["values"][:4] for line in chart["lines"]] for title, chart in charts.items()}
    assert lines["in_use (shop)"] == [[0, 1, 2, 3]]
    assert lines["idle (shop)"] == []
    assert lines["orders (shop)"] == [[None, 10, 10, 10]]
    (ratio,) = lines["Hit ratio (cache)"]
    assert ratio == [None, pytest.approx(75), pytest.approx(75), pytest.approx(75)]
    assert lines["Clients (cache)"] == [[2, 2, 2, 2]]
    assert "keyspace_hits (cache)" not in lines
    assert len({chart["id"] for chart in charts.values()}) == len(charts)
