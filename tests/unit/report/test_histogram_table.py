"""Quantiles of many histograms at once are those of each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.record.histogram import Histogram
from harness.report.histogram_table import HistogramTable

SHARES = (0.0, 0.5, 0.95, 0.999, 1.0)

parts = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 10_000_000), max_size=20)), max_size=8)


@given(parts)
def test_as_the_merged_histograms_say(values: list[tuple[int, list[int]]]) -> None:
    table = HistogramTable.of([(key, Histogram.of(some)) for key, some in values], 4)
    for key in range(4):
        merged = Histogram.merged([Histogram.of(some) for which, some in values if which == key])
        assert table.totals()[key] == merged.count
        assert table.maxima[key] == merged.max_us
        expected = [merged.quantile_us(share) / 1000 for share in SHARES]
        np.testing.assert_allclose(table.quantiles_ms(SHARES)[:, key], expected)
