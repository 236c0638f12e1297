"""What charts need to know of phases comes with their data."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.contents import read_report
from harness.report.sections.timeline import chart_data
from tests.support.broken_runs import Broken, slow_between, write_faults
from tests.support.plans import diagnose, pause, ramp, steady, stress
from tests.support.recordings import record_run
from tests.support.reported import draw


def test_each_kind_of_measured_phase_has_a_colour_of_its_own(tmp_path: Path) -> None:
    phases = [ramp(5, 2), steady(5, 2), stress((5, 9), every=1), pause(1), diagnose(2, 1)]
    report = read_report(draw(record_run(tmp_path, phases=phases)))
    assert report.run is not None
    tones = [phase["tone"] for phase in chart_data(report.run, report.summary)["phases"]]
    assert len(set(tones[:3])) == 3
    assert tones[3:] == ["grey", "grey"]


def test_seconds_in_which_others_took_the_cores_are_shaded(tmp_path: Path) -> None:
    taken = {"target": {"waiting_percent": 60.0}, "machine": {"others_percent": 180.0, "cores": 2.0}}
    folder = record_run(
        tmp_path,
        phases=[steady(50, 20)],
        lead_in_s=0.0,
        sampled=lambda at_s: taken if 3 < at_s < 6 or 10 < at_s < 12 else {"machine": {"others_percent": 0.0}},
    )
    report = read_report(draw(folder))
    assert report.run is not None
    assert chart_data(report.run, report.summary)["contaminated"] == [(3, 6), (10, 12)]


def test_faults_are_shaded_until_the_target_has_recovered(tmp_path: Path) -> None:
    found = record_run(
        tmp_path, phases=[steady(rate=200, seconds=40)], lead_in_s=0.0, latency=slow_between((10, 18), (25, 40))
    )
    faults = [Broken("db slow", 10.0, 15.0), Broken("a\x1b[31m", 25.0, 30.0), Broken("lost", 35.0, None)]
    report = read_report(draw(write_faults(found, *faults)))
    assert report.run is not None
    shown = chart_data(report.run, report.summary)["faults"]
    assert [fault["name"] for fault in shown] == ["db slow", "a", "lost"]
    spans = [[fault[key] for key in ("start_s", "end_s", "back_s")] for fault in shown]
    assert spans[0] == pytest.approx([10, 15, 19], abs=1e-3)
    assert spans[1][2] is None
    assert spans[2][1:] == [report.summary.duration_s, None]
