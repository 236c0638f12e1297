"""Which changes of a duet are clear: a few true ones among many that are noise."""

from __future__ import annotations

import numpy as np

from harness.analysis.block_effects import Effect
from harness.analysis.duet import FALSE_SHARE, Paired, _stand
from harness.metrics import RUN_METRICS


def test_of_many_comparisons_without_a_change_none_is_clear() -> None:
    rng = np.random.default_rng(1)
    trials = [bool(_stand(rng.uniform(size=24)).any()) for _ in range(1000)]
    assert sum(trials) <= 2.5 * FALSE_SHARE * len(trials)


def test_true_changes_are_clear_among_noise() -> None:
    chances = np.array([0.6, 1e-6, 0.03, 0.0005, 0.9])
    assert _stand(chances).tolist() == [False, True, False, True, False]
    assert _stand(np.zeros(0)).tolist() == []


def test_a_figure_of_build_b_has_the_interval_of_its_change() -> None:
    pair = Paired(100.0, 110.0, Effect(float(np.log(1.1)), 0.01, 50))
    figure = pair.figure(RUN_METRICS["mean"])
    assert figure.high is not None
    assert figure.low < 110 < figure.high
    assert 100 * np.log(figure.high / figure.low) < 4.1
    share = Paired(1.0, 3.0, Effect(0.02, 0.002, 50)).figure(RUN_METRICS["error_rate"])
    assert share.high is not None
    assert (round(share.low, 1), round(share.high, 1)) == (2.6, 3.4)
