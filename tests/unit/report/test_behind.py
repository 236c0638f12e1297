"""Charts have the baseline's figures behind today's; in a duet, build A's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.plan.model.target import ShopTarget
from harness.record.run_folder import RunFolder
from harness.report.contents import read_report
from harness.report.sections.timeline import chart_data
from tests.support.latencies import lognormal
from tests.support.plans import steady
from tests.support.recordings import record_run
from tests.support.reported import draw

ENDPOINTS = {"GET /a": 0.75, "GET /b": 0.25}


def charted(folder: RunFolder) -> dict[str, Any]:
    report = read_report(folder)
    assert report.run is not None
    return chart_data(report.run, report.summary)


def test_the_baseline_is_level_over_each_phase(tmp_path: Path) -> None:
    options: dict[str, Any] = {"phases": [steady(rate=50, seconds=20)], "endpoints": ENDPOINTS, "lead_in_s": 0.0}
    before = record_run(tmp_path, run_id="before", **options)
    data = charted(
        draw(
            record_run(tmp_path, seed=3, start_delay=lambda rng, at, _: rng.exponential(30.0, len(at)), **options),
            [before],
        )
    )
    assert data["behind"] == "baseline"
    assert [endpoint["name"] for endpoint in data["endpoints"]] == ["All endpoints", "GET /a", "GET /b"]
    for endpoint, rate in zip(data["endpoints"], (50, 37.5, 12.5), strict=True):
        behind = endpoint["behind"]
        (level,) = set(behind["completed"][:20])
        assert level == pytest.approx(rate, rel=0.2)
        assert max(behind["p95"][:20]) < min(value for value in endpoint["p95"][:20] if value is not None)


def test_without_a_baseline_nothing_is_behind(tmp_path: Path) -> None:
    data = charted(draw(record_run(tmp_path, phases=[steady(rate=50, seconds=5)])))
    assert data["endpoints"][0]["behind"] == {}


def test_a_duet_charts_build_b_with_build_a_behind_it(tmp_path: Path) -> None:
    def slower_b(rng: Any, at_s: Any, endpoint: str) -> Any:
        return lognormal(200 if endpoint.startswith("B ") else 10)(rng, at_s, endpoint)

    folder = record_run(tmp_path, phases=[steady(20, 30)], endpoints=ENDPOINTS, build_b=ShopTarget(), latency=slower_b)
    data = charted(draw(folder))
    every, a, b = data["endpoints"]
    assert (data["behind"], a["name"], b["name"], len(data["phases"])) == ("build A", "GET /a", "GET /b", 1)
    for one, other in ((every, every["behind"]), (a, a["behind"])):
        assert max(filter(None, other["p50"])) < min(filter(None, one["p50"]))
        assert sum(one["completed"]) == pytest.approx(sum(other["completed"]), rel=0.2)
    for whole, parts in ((every, (a, b)), (every["behind"], (a["behind"], b["behind"]))):
        assert sum(sum(part["completed"]) for part in parts) == pytest.approx(sum(whole["completed"]), rel=0.01)
