"""What one worker records of its requests."""

from __future__ import annotations

import socket
import string
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import msgpack
import numpy as np
import pytest
import requests
from gevent import getcurrent

from harness.engine.failure_details import describe_failure, failure_of
from harness.engine.failure_kinds import FAILURE_KINDS, OTHER_FAILURES
from harness.engine.failure_log import SAMPLES_PER_FAILURE
from harness.engine.phase_track import PhaseTrack
from harness.engine.recorder import IntendedStarts, Recorder
from harness.engine.request_failures import (
    INTERRUPTED,
    HostNotAllowed,
    RequestInterrupted,
    ResponseTimeout,
    TruncatedResponse,
)
from harness.engine.response_sampler import ResponseSampler
from harness.messages import Message
from harness.record.endpoint_second import EndpointSecond
from harness.record.sampled_responses import SampledResponse
from harness.record.second_table import SecondTable
from harness.record.traced_requests import TracedRequest, traceparent


def rows_by_second(wire: dict[str, bytes]) -> dict[int, list[EndpointSecond]]:
    table = SecondTable.from_wire(wire)
    seconds = table.second
    return {
        second: EndpointSecond.all_of(table.of(np.flatnonzero(seconds == second)))
        for second in np.unique(seconds).tolist()
    }


LocustBadStatusCode = type("LocustBadStatusCode", (Exception,), {"__doc__": "As Locust names it."})


def status(code: int) -> SimpleNamespace:
    """A response with that status."""
    return SimpleNamespace(status_code=code)


class Recording:
    """A recorder whose run began 100 s ago: phase 0 (closed) from 0 s on, phase 1 (open) from 50 s on."""

    def __init__(self) -> None:
        self.starts: IntendedStarts = {}
        track = PhaseTrack()
        track.begin(0, 0.0, [50.0], is_open=False)
        track.begin(1, 50.0, [50.0], is_open=True)
        self.recorder = Recorder(track, self.starts)
        self.epoch_s = time.time() - 100
        self.recorder.begin(time.perf_counter() - 100)

    def request(self, *, start_s: float, ms: float | None, **more: Any) -> None:
        """``start_s`` must not be near a whole second: two clocks, read one after the other, say when the run began."""
        self.recorder.on_request("GET", "/a", ms, 7, start_time=self.epoch_s + start_s, **more)

    def by_second(self) -> dict[int, list[EndpointSecond]]:
        return rows_by_second(self.recorder.take(None)[0])


def test_a_request_counts_in_the_second_it_ended_and_the_phase_it_began() -> None:
    recording = Recording()
    recording.request(start_s=49.5, ms=1_000)
    ((second, (row,)),) = recording.by_second().items()
    assert (second, row.phase, row.requests, row.bytes_received) == (50, 0, 1, 7)
    assert row.response.sum_us == 1_000_000
    assert row.service is row.response


def test_in_the_open_model_response_time_counts_from_the_intended_start() -> None:
    recording = Recording()
    recording.starts[getcurrent()] = 60.0
    recording.request(start_s=60.4, ms=100)
    recording.request(start_s=60.6, ms=50)
    ((_, (row,)),) = recording.by_second().items()
    assert row.response.sum_us == pytest.approx(500_000 + 50_000, abs=20_000)  # two clocks, read one after the other
    assert row.service.sum_us == 150_000
    assert not recording.starts


def test_the_first_request_may_come_from_a_greenlet_that_the_task_spawned() -> None:
    recording = Recording()
    recording.starts[getcurrent()] = 60.0
    gevent.spawn(recording.request, start_s=60.4, ms=100).get()
    ((_, (row,)),) = recording.by_second().items()
    assert row.response.sum_us == pytest.approx(500_000, abs=20_000)
    assert not recording.starts


def test_a_wall_clock_that_is_set_moves_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording()
    before_s = recording.recorder.now_s()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 30)
    assert recording.recorder.now_s() == pytest.approx(before_s, abs=1)
    recording.epoch_s -= 30
    recording.request(start_s=10.5, ms=1)
    assert list(recording.by_second()) == [10]


def test_only_whole_seconds_are_handed_over_and_only_once() -> None:
    recording = Recording()
    recording.request(start_s=10.5, ms=1)
    recording.request(start_s=11.5, ms=1)
    rows, endpoints, _, _ = recording.recorder.take(11)
    assert (list(rows_by_second(rows)), endpoints) == ([10], [[0, "GET", "/a"]])
    rows, endpoints, _, _ = recording.recorder.take(None)
    assert (list(rows_by_second(rows)), endpoints) == ([11], [])


def test_a_start_time_of_another_clock_is_not_believed() -> None:
    recording = Recording()
    recording.recorder.on_request("GET", "/a", 5.0, 0, start_time=12.5)
    (second,) = recording.by_second()
    assert 99 <= second <= 101


def test_a_request_without_a_time_is_counted_and_not_measured() -> None:
    recording = Recording()
    recording.request(start_s=10.5, ms=None, exception=ValueError("x"))
    ((_, (row,)),) = recording.by_second().items()
    assert (row.requests, row.failures, row.response.count, row.failed.count) == (1, 1, 0, 0)


def test_failures_are_counted_by_kind_and_sampled_a_few_times() -> None:
    recording = Recording()
    response = SimpleNamespace(status_code=500, content=b"caf\xe9 broke \x00")
    for _ in range(10):
        recording.request(start_s=10.5, ms=5, exception=ValueError("broke"), response=response, url="http://x/a")
    _, _, failures, samples = recording.recorder.take(None)
    assert failures == [[0, 0, 10, "ValueError: broke", "", 10]]
    assert len(samples) == SAMPLES_PER_FAILURE
    assert samples[0][4] == {"url": "http://x/a", "error": "broke", "status": "500", "body": "caf\ufffd broke \x00"}


def test_a_response_with_an_unreadable_body_is_still_sampled() -> None:
    class Broken:
        status_code = 200

        @property
        def content(self) -> bytes:
            raise OSError("cut off")

    recording = Recording()
    recording.request(start_s=10.5, ms=5, exception=ValueError("broke"), response=Broken())
    *_, samples = recording.recorder.take(None)
    assert samples[0][4]["body"] == "(not readable: cut off)"


def words(count: int) -> list[str]:
    """That many different texts without numbers."""
    return [first + second for first in string.ascii_letters for second in string.ascii_letters][:count]


def counted(recording: Recording) -> Counter[str]:
    """How often each kind of failure occurred."""
    found: Counter[str] = Counter()
    for _, _, _, failure, _, count in recording.recorder.take(None)[2]:
        found[failure] += count
    return found


def test_failures_that_differ_in_numbers_and_ids_are_one_kind() -> None:
    recording = Recording()
    for number in range(1000):
        recording.request(start_s=10.5, ms=5, exception=f"order {number:08x}-9 of customer {number} is locked")
        recording.request(start_s=10.5, ms=5, exception=LocustBadStatusCode(), response=status(400 + number % 50))
    found = counted(recording)
    assert found["order … of customer … is locked"] == 990
    assert found["HTTP 449"] == 20
    assert found.total() == 2000


def test_a_frequent_failure_keeps_its_name_among_endless_rare_ones() -> None:
    recording = Recording()
    for text in words(1000):
        recording.request(start_s=10.5, ms=5, exception=text)
    for _ in range(100):
        recording.request(start_s=10.5, ms=5, exception="database is down")
        recording.recorder.on_request("GET", "/b", 5, 0, exception="the disk is full")
    found = counted(recording)
    assert (found["database is down"], found["the disk is full"]) == (91, 100)
    assert found.total() == 1200


class Unprintable:
    """As an object of a scenario may be."""

    def __str__(self) -> str:
        raise LookupError("no words")


class ApiError(Exception):
    """As clients of APIs define it."""

    def __getattr__(self, name: str) -> Any:
        return self.args[1][name]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"exception": ApiError("denied", {})}, "ApiError: ('denied', {})"),
        ({"exception": False}, None),
        ({"exception": ""}, None),
        ({"exception": {}}, None),
        ({"exception": {"error": 3}}, "{'error': 3}"),
        ({"exception": ValueError}, "ValueError"),
        ({"exception": 7}, "7"),
        ({"exception": Unprintable()}, "(Unprintable not readable: LookupError)"),
        ({"exception": "no", "response": Unprintable(), "context": Unprintable(), "url": Unprintable()}, "no"),
        ({"response_time": "12"}, None),
        ({"response_length": None, "start_time": "now"}, None),
        ({"request_type": None, "name": ["/a"]}, None),
        ({"response_length": 10**400}, None),
    ],
)
def test_an_event_is_counted_as_locust_counts_it(arguments: dict[str, Any], kind: str | None) -> None:
    warnings: list[Message] = []
    recorder = Recorder(PhaseTrack(), {}, warnings.append)
    recorder.on_request(**{"request_type": "GET", "name": "/a", "response_time": 5, "response_length": 7, **arguments})
    wire, _, failures, _ = recorder.take(None)
    assert sum(row.requests for rows in rows_by_second(wire).values() for row in rows) == 1
    assert [failure for _, _, _, failure, *_ in failures] == ([] if kind is None else [kind])
    assert warnings == []


@pytest.mark.parametrize(
    "arguments", [{"response_time": "soon"}, {"response_length": "long"}, {"response_time": 10**400}]
)
def test_an_event_that_cannot_be_read_is_a_failed_request_and_warned_of(arguments: dict[str, Any]) -> None:
    warnings: list[Message] = []
    recorder = Recorder(PhaseTrack(), {}, warnings.append)
    recorder.on_request(**{"request_type": "GET", "name": "/a", "response_time": 5, "response_length": 7, **arguments})
    wire, _, failures, _ = recorder.take(None)
    ((row,),) = rows_by_second(wire).values()
    assert (row.requests, row.failures, len(failures)) == (1, 1, 1)
    assert [warning.code for warning in warnings] == ["request-event-unreadable"]


def test_endless_kinds_of_failures_do_not_take_endless_memory() -> None:
    recording = Recording()
    for text in words(FAILURE_KINDS + 50):
        recording.request(start_s=10.5, ms=5, exception=ValueError(text))
    _, _, failures, samples = recording.recorder.take(None)
    assert sum(count for *_, count in failures) == FAILURE_KINDS + 50
    assert {failure for _, _, _, failure, *_ in failures} >= {OTHER_FAILURES, "ValueError: aa"}
    assert len(failures) <= FAILURE_KINDS + 1
    assert len(samples) <= SAMPLES_PER_FAILURE * (FAILURE_KINDS + 1)


def test_text_that_is_not_utf8_can_be_sent() -> None:
    recording = Recording()
    half = "half a pair: \ud800"
    response = SimpleNamespace(status_code=200, content=half)
    recording.recorder.on_request("GET", half, 1.0, 0, exception=half, response=response, url=half)
    _, endpoints, failures, samples = recording.recorder.take(None)
    assert msgpack.packb([endpoints, failures, samples])
    assert failures[0][3] == "half a pair: ?"


@pytest.mark.parametrize(
    ("exception", "status", "expected"),
    [
        (LocustBadStatusCode("anything"), 503, "HTTP 503"),
        (ConnectionResetError(104, "reset"), 0, "ConnectionResetError: [Errno 104] reset"),
        ("the user's\n words", 200, "the user's words"),
        (RequestInterrupted(), 0, INTERRUPTED),
        (ValueError("<X object at 0x7f00>"), 0, "ValueError: <X object>"),
        ("<X object at 0x7f00>", 0, "<X object>"),
        (ValueError(), 0, "ValueError"),
        (ResponseTimeout(limit_s=60.0), 0, "no response within 60 s"),
        (TruncatedResponse(), 200, "truncated response"),
        ("x" * 1000, 0, "x" * 300),
    ],
)
def test_a_failures_name_groups_its_kind(exception: BaseException | str, status: int, expected: str) -> None:
    assert describe_failure(exception, SimpleNamespace(status_code=status)) == expected


def _group() -> None:
    raise ConnectionError("no host was reached") from ExceptionGroup(
        "2 attempts", [OSError("x"), HostNotAllowed(host="h")]
    )


@pytest.mark.parametrize(
    "ask", [lambda: requests.get("http://10.255.0.1/"), lambda: urllib.request.urlopen("http://10.255.0.1/"), _group]
)
def test_a_host_not_allowed_is_found_in_any_client_error(
    ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise HostNotAllowed(host="h")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(OSError, match="host") as raised:
        ask()
    assert failure_of(raised.value, None) == (str(HostNotAllowed(host="h")), HostNotAllowed.kind)


def test_an_exception_that_contains_itself_is_described() -> None:
    error = ValueError("x")
    error.args = (error, error, "x")
    error.__cause__ = other = KeyError("y")
    other.__context__ = error
    assert describe_failure(error, None).startswith("ValueError: ")


@pytest.mark.parametrize("ms", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("exception", [None, ValueError("no")])
def test_a_response_time_that_is_not_a_number_is_counted_and_not_measured(
    ms: float, exception: Exception | None
) -> None:
    recording = Recording()
    recording.request(start_s=60.5, ms=ms, exception=exception)
    wire, _, failures, samples = recording.recorder.take(None)
    ((second, (row,)),) = rows_by_second(wire).items()
    assert second in (59, 60)
    assert (row.requests, row.response.counts.size) == (1, 0)
    assert [count for *_, count in failures] == ([1] if exception else [])
    assert len(samples) == len(failures)


def test_what_cannot_be_reckoned_stops_no_later_report() -> None:
    recording = Recording()
    recording.recorder.record("GET", "/a", 0.0, float("nan"), 7, exception="of another kind")
    with pytest.raises(ValueError, match="NaN"):
        recording.recorder.take(None)
    recording.request(start_s=60.5, ms=10)
    assert sum(len(of_second) for of_second in recording.by_second().values()) == 1


def test_a_traced_request_is_kept_with_its_phase_and_times() -> None:
    recording = Recording()
    recording.recorder.keep_traced()
    trace = bytes(range(16))
    recording.request(start_s=49.5, ms=1_000, context={"traceparent": traceparent(trace)})
    recording.starts[getcurrent()] = 50.0  # due then, in the open model
    recording.request(start_s=50.25, ms=250, exception=ValueError(), context={"traceparent": traceparent(trace[::-1])})
    for context in ({}, None, ["traceparent"], {"traceparent": "my own"}, {"traceparent": None}):
        recording.request(start_s=60.5, ms=1, context=context)
    recording.request(start_s=60.5, ms=None, context={"traceparent": traceparent(trace)})  # its times are not known
    first, second = (TracedRequest(*wire) for wire in recording.recorder.take_traced())
    assert (first.trace, first.phase, first.failed, first.response_us) == (trace, 0, False, 1_000_000)
    assert first.at_s == pytest.approx(49.5, abs=0.01)
    assert (second.phase, second.failed, second.service_us) == (1, True, 250_000)
    assert second.response_us == pytest.approx(500_000, abs=10_000)
    assert recording.recorder.take_traced() == []


def test_a_kept_response_has_the_phase_of_its_request() -> None:
    recording = Recording()
    recording.recorder.sampler = ResponseSampler(0.0, 1)
    for start_s, url in ((49.5, "http://h/a"), (50.25, "http://h/b")):
        response = requests.Response()
        response.status_code, response.url = 200, url
        recording.request(start_s=start_s, ms=100, response=response, exception=ValueError())
    kept, skipped = recording.recorder.take_responses()
    assert [(SampledResponse(*wire).phase, SampledResponse(*wire).url) for wire in kept] == [
        (0, "http://h/a"),
        (1, "http://h/b"),
    ]
    assert (skipped, recording.recorder.take_responses()) == ({}, ([], {}))


def test_no_trace_is_kept_unless_traces_are_on() -> None:
    recording = Recording()
    recording.request(start_s=49.5, ms=1_000, context={"traceparent": traceparent(bytes(range(16)))})
    assert recording.recorder.take_traced() == []


def test_what_ended_before_the_run_began_counts_in_its_first_second() -> None:
    recorder = Recorder(PhaseTrack(), {})
    created_s = time.perf_counter()
    for number in range(3000):  # more than are aggregated at a time
        ended_s = created_s + number / 500
        recorder.record("GET", "/login", ended_s - 0.01, ended_s, 7, ValueError("no") if number == 1 else None)
    recorder.begin(created_s + 10)
    requests, _, failures, samples = recorder.take(None)
    assert {second: [row.requests for row in rows] for second, rows in rows_by_second(requests).items()} == {0: [3000]}
    assert [failure[2] for failure in failures] == [0]
    assert [sample[2] for sample in samples] == [0.0]
