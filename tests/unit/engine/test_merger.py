"""The workers' seconds become the journal's: each once, in order, nothing added or lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.engine.merger import MERGED_ENDPOINTS, PATIENCE_S, Merger
from harness.engine.recorder import OTHER_ENDPOINTS
from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram
from harness.record.journal import Journal
from harness.record.journal_entries import WorkerSecond
from harness.record.second_table import SecondTable
from tests.support.endpoint_seconds import histogram_of, table_of

NOW_S = 9.0
"""Of the master, whenever it does not matter."""

ROW = EndpointSecond(0, 0, 0, 1, 0, 10, histogram_of([5]), histogram_of([5]), Histogram.empty())


def report(second: int, milliseconds: list[int], *, ended: int | None = None, users: int = 1) -> dict[str, Any]:
    histogram = histogram_of([value * 1000 for value in milliseconds])
    row = EndpointSecond(0, 0, 0, len(milliseconds), 0, 10 * len(milliseconds), histogram, histogram, Histogram.empty())
    return {
        "second": second,
        "state": WorkerSecond(0, users=users, cpu=0.5, lag_ms=1.0, iterations=len(milliseconds), late=0, waiting=0),
        "lateness": SecondTable.empty().to_wire(),
        "endpoints": [[0, "GET", "/a"]] if second == 0 else [],
        "requests": table_of(second if ended is None else ended, [row] if milliseconds else []).to_wire(),
        "failures": [[0, 0, second, "HTTP 500", "", 1]] if milliseconds else [],
        "samples": [],
    }


def journal_of(*frame_lists: list[Any]) -> Journal:
    journal = Journal()
    for frames in frame_lists:
        for frame in frames:
            journal.add(frame[0] if isinstance(frame, tuple) else frame)
    return journal


def test_a_second_is_written_when_all_workers_have_reported_it() -> None:
    merger = Merger(dict.fromkeys(["a", "b"], ""))
    named = merger.add("a", report(0, [10, 20]), NOW_S)
    assert merger.whole() == []
    more = merger.add("b", report(0, [30]), NOW_S)
    journal = journal_of(named, more, merger.whole())
    (second,) = journal.seconds
    (row,) = second.endpoint_seconds
    assert (second.users, row.requests, row.bytes_received) == (2, 3, 30)
    assert row.response.max_us == 30_000
    assert sum(failure.count for failure in journal.failures) == 2
    assert [str(endpoint) for endpoint in journal.endpoints.values()] == ["GET /a"]


def test_a_worker_that_is_late_is_waited_for_but_not_for_ever() -> None:
    merger = Merger(dict.fromkeys(["a", "b"], ""))
    named = merger.add("a", report(0, [10]), NOW_S)
    assert merger.overdue(now_s=PATIENCE_S) == []
    early = merger.overdue(now_s=1 + PATIENCE_S)
    late = merger.add("b", report(0, [20]), NOW_S)
    journal = journal_of(named, early, late, merger.overdue(now_s=1 + PATIENCE_S))
    (second,) = journal.seconds
    assert second.users == 2
    assert sum(row.requests for row in second.endpoint_seconds) == 2


def test_what_comes_late_of_many_is_written_in_one_frame() -> None:
    workers = [str(number) for number in range(20)]
    merger = Merger(dict.fromkeys(workers, ""))
    named = merger.add("0", report(0, [10]), NOW_S)
    early = merger.overdue(now_s=1 + PATIENCE_S)
    late: list[Any] = []
    for worker in workers[1:]:
        late += merger.add(worker, {**report(0, [10]), "failures": []}, NOW_S)
        late += merger.whole()
    late += merger.overdue(now_s=2 + PATIENCE_S)
    assert len(late) == 1
    (second,) = journal_of(named, early, late).seconds
    assert (second.users, sum(row.requests for row in second.endpoint_seconds)) == (20, 20)


def test_a_request_reported_late_is_added_to_its_own_second() -> None:
    merger = Merger({"a": ""})
    frames: list[Any] = []
    for second, reported in enumerate((report(0, [10]), report(1, [10]), report(2, [99], ended=0))):
        frames += merger.add("a", reported, NOW_S)
        frames += merger.overdue(second + 1.1)
    journal = journal_of(frames)
    assert [second.second for second in journal.seconds] == [0, 1, 2]
    assert sum(row.requests for row in journal.seconds[0].endpoint_seconds) == 2
    assert journal.seconds[2].endpoint_seconds == []


def test_a_lost_worker_holds_nothing_up_and_the_rest_comes_at_the_end() -> None:
    merger = Merger(dict.fromkeys(["a", "b"], ""))
    named = merger.add("a", report(0, [10]), NOW_S)
    merger.lose("b")
    journal = journal_of(named, merger.whole(), merger.add("a", report(1, [10]), NOW_S), merger.rest())
    assert [second.second for second in journal.seconds] == [0, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"second": -1},
        {"second": 12},
        {"second": "soon"},
        {"state": None},
        {"state": [0, None, 0.5, 1.0, 1, 0, 0]},
        {"state": [0, 1, float("nan"), 1.0, 1, 0, 0]},
        {"state": [0, 1, -0.5, 1.0, 1, 0, 0]},
        {"lateness": None},
        {"endpoints": [[0, "GET"]]},
        {"failures": [[1, 0, 0, "of an endpoint that was not named", "", 1]]},
        {"failures": [[0, 0, 12, "of a second to come", "", 1]]},
        {"samples": [[0, 0, 0.0, "no detail", None]]},
        {"endpoints": [[0, "GET", "/" + "a" * 600]]},
        {"endpoints": [[number, "GET", f"/{number}"] for number in range(3_000)]},
        {"failures": [[0, 0, 0, "long" * 200, "", 1]]},
        {"failures": [[0, 0, 0, "x", "", 1]] * ((1 << 18) + 1)},
        {"samples": [[0, 0, 0.0, "x", {"body": "b" * 100_000}]]},
        {"samples": [[0, 0, 0.0, "x", {str(number): "" for number in range(17)}]]},
        {"samples": [[0, 0, 0.0, "x", {}]] * ((1 << 16) + 1)},
        {"traced": [[b"short", 0, 0, 0.5, 10, 10, False]]},
        {"traced": [[b"t" * 16, 1, 0, 0.5, 10, 10, False]]},
        {"traced": [[b"t" * 16, 0, 0, -1.0, 10, 10, False]]},
        {"traced": [[b"t" * 16, 0, 0, 0.5, 10, 10, False]] * ((1 << 16) + 1)},
        {"responses": [[0, 0, "GET", "http://h/", 20, b"", None]]},
        {"responses": [[1, 0, "GET", "http://h/", 200, b"", None]]},
        {"responses": [[0, 0, "GET", "http://h/", 200, b"", b"x" * ((1 << 20) + 1)]]},
        {"responses": [[0, 0, "GET", "http://h/", 200, b"", None]] * ((1 << 12) + 1)},
        {"skipped": {"rate": -1}},
        {"requests": {}},
        {"requests": table_of(12, [ROW]).to_wire()},
        {"requests": table_of(0, [replace(ROW, endpoint=1)]).to_wire()},
    ],
)
def test_an_invalid_report_is_rejected_as_a_whole(change: dict[str, Any]) -> None:
    merger = Merger({"a": ""})
    with pytest.raises(ValueError, match=r"\w"):
        merger.add("a", {**report(0, [10]), **change}, NOW_S)
    journal = journal_of(merger.add("a", report(0, [10]), NOW_S), merger.rest())
    assert [sum(row.requests for row in second.endpoint_seconds) for second in journal.seconds] == [1]
    assert (len(journal.endpoints), len(journal.failures)) == (1, 1)


def test_traced_requests_get_the_number_of_their_endpoint_in_the_journal() -> None:
    merger = Merger(dict.fromkeys(["a", "b"], ""))
    other = {**report(0, [10]), "endpoints": [[0, "GET", "/b"]], "traced": [[b"t" * 16, 0, 0, 0.5, 20, 10, True]]}
    journal = journal_of(merger.add("a", report(0, [10]), NOW_S), merger.add("b", other, NOW_S))
    (traced,) = journal.traced
    assert str(journal.endpoints[traced.endpoint]) == "GET /b"
    assert (traced.trace, traced.response_us, traced.failed) == (b"t" * 16, 20, True)


def test_kept_responses_get_the_number_of_their_endpoint_in_the_journal() -> None:
    merger = Merger(dict.fromkeys(["a", "b"], ""))
    kept = [0, 0, "GET", "http://h/", 200, b"HTTP/1.1 200 OK", b"{}"]
    other = {**report(0, [10]), "endpoints": [[0, "GET", "/b"]], "responses": [kept], "skipped": {"rate": 2}}
    merger.add("a", {**report(0, [10]), "skipped": {"rate": 1}}, NOW_S)
    merger.add("b", other, NOW_S)
    (response,), skipped = merger.take_responses()
    assert (response.endpoint, response.body, skipped) == (1, b"{}", {"rate": 3})
    assert merger.take_responses() == ([], {})


def test_a_report_of_an_unknown_worker_is_rejected() -> None:
    merger = Merger({"a": ""})
    for worker, message in (("a", None), ("a", b"GET / HTTP/1.1"), ("stranger", report(0, [10]))):
        with pytest.raises(ValueError, match=r"\w"):
            merger.add(worker, message, NOW_S)
    assert merger.rest() == []


def test_more_endpoints_than_all_workers_may_name_together_are_counted_as_others() -> None:
    workers = [str(number) for number in range(33)]
    merger = Merger(dict.fromkeys(workers, ""))
    frames = [
        frame
        for worker in workers
        for frame in merger.add(
            worker, {**report(0, [10]), "endpoints": [[n, worker, f"/{n}"] for n in range(2_048)]}, NOW_S
        )
    ]
    named = [frame for frame in frames if frame["kind"] == "endpoint"]
    assert len(named) == MERGED_ENDPOINTS + 1
    assert (named[-1]["method"], named[-1]["name"]) == OTHER_ENDPOINTS
