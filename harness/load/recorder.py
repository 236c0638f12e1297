"""Records every request of one worker: by second, phase, segment and endpoint, into sparse histograms.

A request is counted in the second in which it ended and in the phase in which it was started. In the open model its
response time counts from when its iteration *should* have started, so the wait behind a stalled target is in it
(wrk2's correction, made at the source instead of afterwards); its service time counts from the actual send.
"""

from __future__ import annotations

import re
import time
from typing import Any

from gevent import getcurrent
from greenlet import greenlet

from harness.load.phase_track import PhaseTrack
from harness.record.histogram import Histogram, bucket_of

SAMPLES_PER_FAILURE = 3
FAILURE_KINDS = 200
"""More kinds than this in one worker are counted as :data:`OTHER_FAILURES`: memory stays bounded."""
OTHER_FAILURES = "other failures"
ENDPOINTS = 1000
"""More names than this in one worker (an id in every URL, and no ``name=``) are counted together."""
OTHER_ENDPOINTS = ("", "(other endpoints: give requests a name=)")
INTERRUPTED = "interrupted: its user was removed before the answer came"

_LONGEST_BLOCK_S = 600
"""A ``with`` block may work on an answer before the event fires; a start further back is another clock."""
_BODY_BYTES = 2048
_FAILURE_LENGTH = 300
_NAME_LENGTH = 500
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

Wire = list[Any]
IntendedStarts = dict[greenlet, float]
"""By user greenlet: when the iteration it has begun was due (run seconds), until its first request is recorded."""


class RequestInterrupted(Exception):  # noqa: N818  (an outcome of a request, not an error of the program)
    """A user was removed while its request was under way; the request is recorded as failed with this."""

    def __str__(self) -> str:
        return INTERRUPTED


class _Counts:
    """One growing histogram."""

    __slots__ = ("buckets", "max_us", "sum_us")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.sum_us = 0
        self.max_us = 0

    def add(self, value_us: int) -> None:
        index = bucket_of(value_us)
        buckets = self.buckets
        buckets[index] = buckets.get(index, 0) + 1
        self.sum_us += value_us
        if value_us > self.max_us:
            self.max_us = value_us

    def to_wire(self) -> Wire:
        return Histogram.from_buckets(self.buckets, self.sum_us, self.max_us).to_wire()


class _Slot:
    """What one (second, phase, segment, endpoint) has seen."""

    __slots__ = ("bytes_received", "failed", "failures", "requests", "response", "service")

    def __init__(self, *, is_open: bool) -> None:
        self.requests = 0
        self.failures = 0
        self.bytes_received = 0
        self.response = _Counts()
        self.service = _Counts() if is_open else None
        self.failed = _Counts()

    def to_wire(self) -> Wire:
        return [
            self.requests,
            self.failures,
            self.bytes_received,
            self.response.to_wire(),
            self.service.to_wire() if self.service else None,
            self.failed.to_wire() if self.failures else None,
        ]


class Recorder:
    """Listens to Locust's ``request`` event; :meth:`take` hands over the seconds that are complete."""

    def __init__(self, track: PhaseTrack, starts: IntendedStarts) -> None:
        self._track = track
        self._starts = starts
        self.under_way: set[greenlet] = set()
        """Greenlets whose client is at a request that has not been recorded yet."""
        self._began = time.perf_counter()
        self._endpoints: dict[tuple[str, str], int] = {}
        self._new_endpoints: list[Wire] = []
        self._seconds: dict[int, dict[tuple[int, int, int], _Slot]] = {}
        self._failures: dict[tuple[int, int, int, str], int] = {}
        self._failure_kinds: set[str] = set()
        self._sampled: dict[tuple[int, str], int] = {}
        self._samples: list[Wire] = []

    def begin(self, epoch_s: float) -> None:
        """The run's second 0 is at ``epoch_s`` (wall clock). That clock may be set later: it is read only here."""
        self._began = time.perf_counter() - (time.time() - epoch_s)

    def now_s(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._began

    def on_request(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: int | None,
        exception: BaseException | str | None = None,
        start_time: float | None = None,
        **details: Any,
    ) -> None:
        """Locust's ``request`` event; ``response_time`` is the service time in ms."""
        service_s = (response_time or 0.0) / 1000
        now_s = self.now_s()
        start_s = now_s - (service_s if start_time is None else time.time() - start_time)
        if not 0 <= now_s - start_s - service_s <= _LONGEST_BLOCK_S:
            # Clients that users write send other clocks as start_time, too.
            start_s = now_s - service_s
        end_s = start_s + service_s
        service_us = round(service_s * 1e6)
        self.under_way.discard(getcurrent())
        intended_s = self._take_intended_start() if self._starts else None
        if intended_s is None:
            begun_s, response_us = start_s, service_us
        else:
            begun_s, response_us = intended_s, max(service_us, round((end_s - intended_s) * 1e6))

        endpoint = self._endpoint(request_type, name)
        mark = self._track.at(begun_s)
        slot = self._slot(int(end_s), (mark.phase, mark.segment, endpoint), is_open=mark.open)
        slot.requests += 1
        slot.bytes_received += int(response_length or 0)
        if response_time is not None:
            slot.response.add(response_us)
            if slot.service is not None:
                slot.service.add(service_us)
        if exception is not None:
            slot.failures += 1
            if response_time is not None:
                slot.failed.add(response_us)
            self._fail(endpoint, mark.phase, end_s, exception, details)

    def _take_intended_start(self) -> float | None:
        """When the iteration was due whose first request this is; None: it is a later one.

        A task may send its requests from greenlets that it spawns: theirs is the iteration of the user that did.
        """
        current: greenlet | None = getcurrent()
        while current is not None:
            intended_s = self._starts.pop(current, None)
            if intended_s is not None:
                return intended_s
            spawned_by = getattr(current, "spawning_greenlet", None)
            current = spawned_by() if spawned_by else None
        return None

    def _endpoint(self, method: str, name: str) -> int:
        key = (method, name)
        endpoint = self._endpoints.get(key)
        if endpoint is None and len(self._endpoints) >= ENDPOINTS and key != OTHER_ENDPOINTS:
            return self._endpoint(*OTHER_ENDPOINTS)
        if endpoint is None:
            endpoint = self._endpoints[key] = len(self._endpoints)
            self._new_endpoints.append([endpoint, _text(method)[:_NAME_LENGTH], _text(name)[:_NAME_LENGTH]])
        return endpoint

    def _slot(self, second: int, key: tuple[int, int, int], *, is_open: bool) -> _Slot:
        slots = self._seconds.get(second)
        if slots is None:
            slots = self._seconds[second] = {}
        slot = slots.get(key)
        if slot is None:
            slot = slots[key] = _Slot(is_open=is_open)
        return slot

    def _fail(
        self, endpoint: int, phase: int, end_s: float, exception: BaseException | str, details: dict[str, Any]
    ) -> None:
        response = details.get("response")
        failure = describe_failure(exception, response)
        if failure not in self._failure_kinds:
            if len(self._failure_kinds) >= FAILURE_KINDS:
                failure = OTHER_FAILURES
            self._failure_kinds.add(failure)
        key = (endpoint, phase, int(end_s), failure)
        self._failures[key] = self._failures.get(key, 0) + 1
        sampled = self._sampled.get((endpoint, failure), 0)
        if sampled < SAMPLES_PER_FAILURE:
            self._sampled[endpoint, failure] = sampled + 1
            self._samples.append([endpoint, phase, end_s, failure, _detail(exception, response, details)])

    def take(self, before_second: int | None) -> tuple[dict[int, list[Wire]], list[Wire], list[Wire], list[Wire]]:
        """Hand over and forget what ended before ``before_second`` (None: all of it).

        Returns series by second (``[phase, segment, endpoint, requests, …]`` as in the journal), the endpoints named
        since the last call (``[id, method, name]``), failures (``[endpoint, phase, second, failure, count]``) and
        samples.
        """
        ready = [second for second in self._seconds if before_second is None or second < before_second]
        series = {
            second: [[*key, *slot.to_wire()] for key, slot in self._seconds.pop(second).items()]
            for second in sorted(ready)
        }
        endpoints, self._new_endpoints = self._new_endpoints, []
        failures = [[*key, count] for key, count in self._failures.items()]
        self._failures = {}
        samples, self._samples = self._samples, []
        return series, endpoints, failures, samples


def describe_failure(exception: BaseException | str, response: Any) -> str:
    """One short line that groups failures of a kind: ``HTTP 500``, ``ConnectionRefusedError``, or the user's words."""
    status = getattr(response, "status_code", 0)
    name = type(exception).__name__
    if name in ("LocustBadStatusCode", "HTTPError") and status:
        return f"HTTP {status}"
    if isinstance(exception, str) or name in ("CatchResponseError", "RequestInterrupted"):
        text = str(exception)
    else:
        text = f"{name}: {_ADDRESS.sub('', str(exception))}".rstrip(": ")
    return " ".join(_text(text).split())[:_FAILURE_LENGTH] or name


def _text(value: object) -> str:
    """As text that can be written: an answer's JSON may hold half a surrogate pair, which no UTF-8 holds."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _detail(exception: BaseException | str, response: Any, details: dict[str, Any]) -> dict[str, str]:
    """What is known of a failed request, as text."""
    detail = {"url": _text(details.get("url") or ""), "error": _text(exception)[:_BODY_BYTES]}
    status = getattr(response, "status_code", None)
    if status:
        detail["status"] = str(status)
    # Reading the body of a broken answer may raise whatever the client's parser raises; the sample is then without it.
    try:
        body = getattr(response, "content", None)
    except Exception as fault:  # noqa: BLE001
        detail["body"] = _text(f"(not readable: {fault})")
    else:
        if isinstance(body, bytes):
            detail["body"] = body[:_BODY_BYTES].decode("utf-8", errors="replace")
        elif isinstance(body, str):
            detail["body"] = _text(body[:_BODY_BYTES])
    return {key: value for key, value in detail.items() if value}
