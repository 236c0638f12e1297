"""Series added up in flat arrays are those of every single request, and survive the wire or are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import LAST_BUCKET, MAX_VALUE_US, Histogram
from harness.record.second_accumulator import SecondAccumulator, packed
from harness.record.second_table import (
    COLUMNS,
    ENDPOINT,
    FAILURES,
    LIMITS,
    MOST_ROWS,
    PHASE,
    REQUESTS,
    SEGMENT,
    SIZES,
    SecondTable,
)
from tests.support.endpoint_seconds import histogram_of

phases, segments, endpoints = (
    st.sampled_from([0, 1, int(LIMITS[column]) - 1]) for column in (PHASE, SEGMENT, ENDPOINT)
)
values_us = st.integers(0, MAX_VALUE_US) | st.integers(0, 3000)
requests = st.lists(
    st.tuples(phases, segments, endpoints, values_us, values_us, st.integers(0, 10**9), st.booleans(), st.booleans()),
    max_size=60,
)


def added(series: SecondAccumulator, entries: list[tuple[Any, ...]]) -> SecondAccumulator:
    """Odd phases are open."""
    columns = [np.array(column) for column in zip(*entries, strict=True)]
    phase, segment, endpoint, response, service, size, failed, timed = columns
    series.add_requests(
        packed(phase, segment, endpoint),
        phase % 2 == 1,
        response_us=response,
        service_us=service,
        bytes_received=size,
        failed=failed,
        timed=timed,
    )
    return series


def expected(entries: list[tuple[Any, ...]]) -> dict[tuple[int, int, int], tuple[Any, ...]]:
    groups: dict[tuple[int, int, int], list[tuple[Any, ...]]] = {}
    for phase, segment, endpoint, *rest in entries:
        groups.setdefault((phase, segment, endpoint), []).append(tuple(rest))
    return {
        key: (
            len(group),
            sum(failed for *_, failed, _ in group),
            sum(size for _, _, size, _, _ in group),
            figures(histogram_of([response for response, *_, timed in group if timed])),
            figures(
                histogram_of([(service if key[0] % 2 else response) for response, service, *_, timed in group if timed])
            ),
            figures(histogram_of([response for response, *_, failed, timed in group if failed and timed])),
        )
        for key, group in groups.items()
    }


def figures(histogram: Histogram) -> tuple[Any, ...]:
    return histogram.indices.tolist(), histogram.counts.tolist(), histogram.sum_us, histogram.max_us


def found(table: SecondTable) -> dict[tuple[int, int, int], tuple[Any, ...]]:
    return {
        (one.phase, one.segment, one.endpoint): (
            one.requests,
            one.failures,
            one.bytes_received,
            *(figures(histogram) for histogram in (one.response, one.service, one.failed)),
        )
        for one in EndpointSecond.all_of(table)
    }


@given(requests, requests)
@settings(max_examples=60)
def test_every_request_is_in_its_endpoint_second_however_it_came(first: list[Any], second: list[Any]) -> None:
    apart = [added(SecondAccumulator(), part).table(7) for part in (first, second) if part]
    together = SecondAccumulator()
    for table in apart:
        sent = SecondTable.from_wire(table.to_wire())
        together.add_table(sent, sent.endpoint)
    whole = SecondTable.from_wire(together.table(7).to_wire())
    assert found(whole) == expected(first + second)
    assert set(whole.second.tolist()) <= {7}


def test_tables_are_joined_and_taken_apart() -> None:
    entry = (0, 0, 0, 5, 5, 1, False, True)
    parts = [added(SecondAccumulator(), [entry] * number).table(number) for number in (1, 2, 3)]
    joined = SecondTable.joined(parts)
    assert joined.requests.tolist() == [1, 2, 3]
    assert found(joined.of(np.flatnonzero(joined.second == 2))) == found(parts[1])
    assert len(SecondTable.joined([])) == 0


def changed(**parts: bytes | None) -> dict[str, bytes]:
    wire: dict[str, Any] = added(SecondAccumulator(), [(1, 0, 0, 500, 400, 1, True, True)]).table(3).to_wire()
    return {name: value for name, value in {**wire, **parts}.items() if value is not None}


def ints(*numbers: int, kind: str = "<i8") -> bytes:
    return np.array(numbers, dtype=kind).tobytes()


def row_with(column: int, value: int) -> dict[str, bytes]:
    rows = np.frombuffer(changed()["rows"], "<i8").copy()
    rows[column] = value
    return changed(rows=rows.tobytes())


def test_what_is_changed_below_is_a_table() -> None:
    assert len(SecondTable.from_wire(changed())) == 1


@pytest.mark.parametrize(
    "wire",
    [
        None,
        [],
        {},
        changed(rows=None),
        changed(rows=b"123"),
        changed(rows=b""),
        changed(rows=bytes(8 * COLUMNS * (MOST_ROWS + 1))),
        *(row_with(column, value) for column in range(COLUMNS) for value in (-1, int(LIMITS[column]))),
        row_with(REQUESTS, 0),
        row_with(FAILURES, 0),
        row_with(SIZES, 2),
        changed(buckets=b""),
        changed(buckets=b"1"),
        changed(buckets=ints(1, 2, LAST_BUCKET + 1, kind="<u2")),
        changed(buckets=bytes(1 << 26)),
        changed(counts=b"\1\1"),
        changed(counts=b"\1" * 24),
        changed(counts=b"\1\1\2"),
        {**changed(), "counts": [1, 1, 1]},
    ],
)
def test_a_table_that_cannot_be_is_refused(wire: Any) -> None:
    with pytest.raises(ValueError, match=r"second table|reshape|buffer"):
        SecondTable.from_wire(wire)
