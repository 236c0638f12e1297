"""The workers' seconds become the journal's: each once, in order, nothing added or lost."""

from __future__ import annotations

from typing import Any

from harness.load.merger import PATIENCE_S, Merger
from harness.record.histogram import Histogram
from harness.record.journal import Journal


def report(second: int, milliseconds: list[int], *, ended: int | None = None, users: int = 1) -> dict[str, Any]:
    histogram = Histogram.of([value * 1000 for value in milliseconds]).to_wire()
    row = [0, 0, 0, len(milliseconds), 0, 10 * len(milliseconds), histogram, None, None]
    return {
        "second": second,
        "users": users,
        "cpu": 0.5,
        "lag_ms": 1.0,
        "iterations": len(milliseconds),
        "late": 0,
        "waiting": 0,
        "starved": 0.0,
        "throttled": 0.0,
        "stolen": 0.0,
        "lateness": [],
        "endpoints": [[0, "GET", "/a"]] if second == 0 else [],
        "series": [[second if ended is None else ended, [row]]] if milliseconds else [],
        "failures": [[0, 0, second, "HTTP 500", 1]] if milliseconds else [],
        "samples": [],
    }


def journal_of(*frame_lists: list[Any]) -> Journal:
    journal = Journal()
    for frames in frame_lists:
        for frame in frames:
            journal.add(frame[0] if isinstance(frame, tuple) else frame)
    return journal


def test_a_second_is_written_when_all_workers_have_told_it() -> None:
    merger = Merger(["a", "b"])
    named = merger.add("a", report(0, [10, 20]))
    assert merger.ready(now_s=1.1) == []
    more = merger.add("b", report(0, [30]))
    journal = journal_of(named, more, merger.ready(now_s=1.2))
    (second,) = journal.seconds
    (series,) = second.series
    assert (second.users, series.requests, series.bytes_received) == (2, 3, 30)
    assert series.response.max_us == 30_000
    assert sum(failure.count for failure in journal.failures) == 2
    assert [str(endpoint) for endpoint in journal.endpoints.values()] == ["GET /a"]


def test_a_worker_that_is_late_is_waited_for_but_not_for_ever() -> None:
    merger = Merger(["a", "b"])
    named = merger.add("a", report(0, [10]))
    assert merger.ready(now_s=PATIENCE_S) == []
    early = merger.ready(now_s=1 + PATIENCE_S)
    late = merger.add("b", report(0, [20]))
    journal = journal_of(named, early, late, merger.ready(now_s=1 + PATIENCE_S))
    (second,) = journal.seconds
    assert second.users == 2
    assert sum(series.requests for series in second.series) == 2


def test_a_request_told_late_is_added_to_its_own_second() -> None:
    merger = Merger(["a"])
    frames: list[Any] = []
    for second, told in enumerate((report(0, [10]), report(1, [10]), report(2, [99], ended=0))):
        frames += merger.add("a", told)
        frames += merger.ready(second + 1.1)
    journal = journal_of(frames)
    assert [second.second for second in journal.seconds] == [0, 1, 2]
    assert sum(series.requests for series in journal.seconds[0].series) == 2
    assert journal.seconds[2].series == []


def test_a_lost_worker_holds_nothing_up_and_the_rest_comes_at_the_end() -> None:
    merger = Merger(["a", "b"])
    named = merger.add("a", report(0, [10]))
    merger.lose("b")
    journal = journal_of(named, merger.ready(1.1), merger.add("a", report(1, [10])), merger.rest())
    assert [second.second for second in journal.seconds] == [0, 1]
