"""What the charts show over time: exact sums, however long the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.record.journal import Journal
from harness.record.journal_entries import Endpoint, FailureCount, Second, WorkerSecond
from harness.record.resources import Reading
from harness.report.endpoints_over_time import endpoints_over_time
from harness.report.time_series import (
    TimeAxis,
    busiest_endpoints,
    errors_over_time,
    generator_over_time,
    resources_over_time,
)
from tests.support.endpoint_seconds import histogram_of, table_of


def endpoint_second(values_us: list[int], endpoint: int = 0, *, service_us: list[int] | None = None) -> EndpointSecond:
    response = histogram_of(values_us)
    service = response if service_us is None else histogram_of(service_us)
    return EndpointSecond(0, 0, endpoint, len(values_us), 0, 0, response, service, Histogram.empty())


def over_time(journal: Journal, endpoint: int | None = None) -> dict[str, Any]:
    """The figures of one endpoint, or of all together."""
    ids = [] if endpoint is None else [endpoint]
    return endpoints_over_time(journal, ids, TimeAxis(journal))[-1]


def journal_of(seconds: dict[int, list[EndpointSecond]]) -> Journal:
    journal = Journal(run_id="r", epoch_s=1000.0)
    journal.endpoints = {0: Endpoint("GET", "/a"), 1: Endpoint("GET", "/b")}
    worker = WorkerSecond(worker=0, users=5, cpu=0.5, lag_ms=3, iterations=1, late=0, waiting=2)
    journal.seconds = [
        Second(second, 5 + second, [worker], table_of(second, parts), []) for second, parts in seconds.items()
    ]
    return journal


def test_a_short_run_has_a_point_a_second() -> None:
    axis = TimeAxis(journal_of({0: [], 9: []}))
    assert (axis.step_s, axis.points) == (1, 10)


def test_a_long_run_has_no_more_points_than_a_chart_can_show() -> None:
    axis = TimeAxis(journal_of({3600: []}))
    assert (axis.step_s, axis.points) == (4, 901)


def test_a_run_of_nothing_has_one_point() -> None:
    assert TimeAxis(Journal()).points == 1


def test_percentiles_of_joined_seconds_are_those_of_all_their_requests() -> None:
    fast, slow = [1000] * 90, [9000] * 10
    journal = journal_of({0: [endpoint_second(fast)], 1: [endpoint_second(slow)], 2399: []})
    axis = TimeAxis(journal)
    assert axis.step_s == 2
    figures = over_time(journal)
    assert figures["p50"][0] == pytest.approx(1.0, rel=1e-3)
    assert figures["p95"][0] == pytest.approx(9.0, rel=1e-3)
    assert figures["max"][0] == 9.0
    assert figures["completed"][:2] == [50.0, 0.0]
    assert figures["p50"][1] is None


def test_the_last_step_divides_by_the_seconds_it_has() -> None:
    journal = journal_of({second: [endpoint_second([1000] * 10)] for second in range(1201)})
    completed = over_time(journal, 0)["completed"]
    assert completed[0] == completed[-1] == 10.0


def test_requests_started_are_all_there_and_lie_before_their_ends() -> None:
    journal = journal_of({0: [], 5: [endpoint_second([2_500_000] * 8)]})
    started = over_time(journal)["started"]
    assert sum(started) == pytest.approx(8)
    assert [second for second, count in enumerate(started) if count] == [2, 3]


def test_service_time_is_there_only_in_the_open_model() -> None:
    journal = journal_of({0: [endpoint_second([9000], service_us=[1000])]})
    assert over_time(journal)["service_p95"] == [1.0]
    journal = journal_of({0: [endpoint_second([9000])]})
    assert "service_p95" not in over_time(journal)


def test_the_heat_map_counts_every_request_once() -> None:
    journal = journal_of({0: [endpoint_second([10, 10, 1_000_000])], 1: [endpoint_second([10], 1)]})
    cells = np.array(over_time(journal)["heat"]).reshape(-1, 3)
    # 10 µs lies 1 decade above 1 µs, and 1 s (in its bucket of 0.1 %) just below 6: of 20 rows each.
    assert cells.tolist() == [[0, 20, 2], [0, 119, 1], [1, 20, 1]]


def test_endpoints_come_busiest_first() -> None:
    assert busiest_endpoints(journal_of({0: [endpoint_second([1], 0), endpoint_second([1, 1], 1)]})) == [1, 0]


def test_failures_beyond_the_most_frequent_errors_are_joined() -> None:
    journal = journal_of({0: [], 1: []})
    journal.failures = [FailureCount(0, 0, 0, f"kind {number}", 10 - number) for number in range(8)]
    journal.failures.append(FailureCount(1, 0, 1, "kind 0", 5))
    errors = errors_over_time(journal, [1, 0], TimeAxis(journal))
    assert errors["names"] == [*(f"kind {number}" for number in range(6)), "other errors"]
    cells = np.array(errors["cells"]).reshape(-1, 4).tolist()
    assert [0, 0, 1, 5] in cells
    assert [1, 6, 0, 4 + 3] in cells


def test_the_generator_shows_users_and_its_worst_worker() -> None:
    found = generator_over_time(journal_of({0: [], 2: []}), TimeAxis(journal_of({2: []})))
    assert found["users"] == [5.0, None, 7.0]
    assert found["worker_cpu"] == [50.0, None, 50.0]
    assert found["waiting"] == [2.0, None, 2.0]


def test_the_open_model_shows_requests_in_flight_and_not_its_idle_users() -> None:
    closed = [endpoint_second([400_000, 100_000])]
    opened = [endpoint_second([900_000], service_us=[250_000])]
    journal = journal_of({0: closed, 1: opened, 2: []})
    found = generator_over_time(journal, TimeAxis(journal))
    assert found["users"] == [5.0, None, None]
    assert found["in_flight"] == [0.5, 0.25, 0.0]


def test_resources_lie_on_the_same_axis_and_unknown_ones_stay_out() -> None:
    axis = TimeAxis(journal_of({2: []}))
    readings = [
        Reading(999.0, "target", {"cpu_percent": 1.0}),
        Reading(1000.5, "target", {"cpu_percent": 40.0, "odd": 1.0}),
        Reading(1000.9, "target", {"cpu_percent": 60.0}),
        Reading(1005.0, "target", {"cpu_percent": 1.0}),
    ]
    assert resources_over_time(readings, 1000.0, axis, {"cpu_percent"}) == {
        "target": {"cpu_percent": [50.0, None, None]}
    }


def test_the_busiest_endpoints_come_first_and_equals_by_their_numbers() -> None:
    journal = journal_of({0: [endpoint_second([1000] * (9 if number == 3 else 1), number) for number in range(12)]})
    journal.endpoints = {number: Endpoint("GET", f"/ep{number}") for number in reversed(range(12))}
    assert busiest_endpoints(journal) == [3, 0, 1, 2, *range(4, 12)]
