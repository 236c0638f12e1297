"""The figures of build B of a duet."""

from __future__ import annotations

import numpy as np

from harness.analysis.block_effects import Effect
from harness.analysis.duet import Paired
from harness.metrics import RUN_METRICS


def test_a_figure_of_build_b_has_the_interval_of_its_change() -> None:
    pair = Paired(100.0, 110.0, Effect(float(np.log(1.1)), 0.01, 50))
    figure = pair.figure(RUN_METRICS["mean"])
    assert figure.high is not None
    assert figure.low < 110 < figure.high
    assert 100 * np.log(figure.high / figure.low) < 4.1
    share = Paired(1.0, 3.0, Effect(0.02, 0.002, 50)).figure(RUN_METRICS["error_rate"])
    assert share.high is not None
    assert (round(share.low, 1), round(share.high, 1)) == (2.6, 3.4)
