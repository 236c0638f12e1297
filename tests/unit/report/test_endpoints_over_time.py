"""Quantiles of many histograms at once are those of each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.record.endpoint_second import EndpointSecond
from harness.record.second_table import RESPONSE, SERVICE
from harness.report.endpoints_over_time import quantiles_ms
from tests.support.endpoint_seconds import histogram_of, table_of

SHARES = (0.0, 0.5, 0.95, 0.999, 1.0)

values = st.lists(st.integers(0, 10_000_000), max_size=20)


@given(st.lists(st.tuples(values, values, values), min_size=1, max_size=8))
def test_as_the_single_histograms_say(rows: list[tuple[list[int], list[int], list[int]]]) -> None:
    every = [
        EndpointSecond(0, 0, number, len(row[0]), len(row[2]), 0, *map(histogram_of, row))
        for number, row in enumerate(rows)
    ]
    table = table_of(0, every)
    for kind, name in ((RESPONSE, "response"), (SERVICE, "service")):
        totals, found = quantiles_ms(table, kind, np.arange(len(table)), len(table), SHARES)
        for number, row in enumerate(every):
            histogram = getattr(row, name)
            assert totals[number] == histogram.count
            expected = [histogram.quantile_us(share) / 1000 for share in SHARES]
            np.testing.assert_allclose([of_share[number] for of_share in found], expected)
