"""The figures of build B of a duet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.analysis.block_effects import Effect
from harness.analysis.duet import Paired, self_changes
from harness.analysis.measurement import measure
from harness.metrics import RUN_METRICS
from harness.plan.duet import A
from harness.plan.model.target import ShopTarget
from harness.record.measurement import ALL
from harness.recording import RunRecording, open_recording
from tests.support.plans import steady
from tests.support.recordings import record_run


def test_a_figure_of_build_b_has_the_interval_of_its_change() -> None:
    pair = Paired(100.0, 110.0, Effect(float(np.log(1.1)), 0.01, 50))
    figure = pair.figure(RUN_METRICS["mean"])
    assert figure.high is not None
    assert figure.low < 110 < figure.high
    assert 100 * np.log(figure.high / figure.low) < 4.1
    share = Paired(1.0, 3.0, Effect(0.02, 0.002, 50)).figure(RUN_METRICS["error_rate"])
    assert share.high is not None
    assert (round(share.low, 1), round(share.high, 1)) == (2.6, 3.4)


def test_each_half_of_build_a_has_its_throughput(tmp_path: Path) -> None:
    run = open_recording(record_run(tmp_path, phases=[steady(seconds=20)], build_b=ShopTarget()))
    assert isinstance(run, RunRecording)
    of_a = measure(run).figure("steady", ALL, "throughput", A)
    (halves,) = (change for change in self_changes(run) if change.metric == "throughput")
    assert of_a is not None
    assert halves.baseline is not None
    assert halves.observed is not None
    assert (halves.baseline + halves.observed) / 2 == pytest.approx(of_a.value, rel=0.1)
