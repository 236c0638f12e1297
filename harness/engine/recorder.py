"""Records every request of one worker: by second, phase, segment and endpoint, into sparse histograms.

A request counts in the second in which it ended and in the phase in which it was started. In the open model, its
response time counts from when its iteration *should* have started, so it includes the wait for a stalled target (the
correction of wrk2, made at the source instead of afterwards). Its service time counts from the actual send.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
from gevent import getcurrent
from greenlet import greenlet

from harness.engine.failure_details import REDACTED_BYTES, encodable
from harness.engine.failure_log import FailureLog
from harness.engine.phase_track import PhaseTrack
from harness.engine.response_sampler import ResponseSampler
from harness.engine.traced_log import TracedLog
from harness.messages import Message, message
from harness.record.histogram import MAX_VALUE_US, Ints
from harness.record.redaction import redacted
from harness.record.second_accumulator import SecondAccumulator, packed
from harness.record.second_table import SecondTable
from harness.record.traced_requests import trace_of

ENDPOINTS = 1000
"""Further names in one worker (an id in every URL without ``name=``) are counted together."""
OTHER_ENDPOINTS = ("", "(other endpoints: give requests a name=)")

_FOLD_AT = 5 * 1024
"""Numbers to aggregate at a time, five a request."""
_FLAGS, _FAILED = 2, 1
_MAX_BYTES = 1 << 40

_LONGEST_BLOCK_S = 600
"""A ``with`` block may work on a response before the event fires; an earlier start is from another clock."""
_NAME_LENGTH = 500
_EARLIEST_START_S = 0.0015
"""How long before it is due an iteration may be started."""

Wire = list[Any]
IntendedStarts = dict[greenlet, float]
"""By user greenlet: when its current iteration was due (run seconds), until its first request is recorded."""


class Recorder:
    """Takes every request of a worker; :meth:`take` returns the seconds that are complete.

    A request costs a worker some 20 µs, so each microsecond of recording counts. Therefore a request is only noted, as
    five numbers at the end of a list. numpy derives the rest (second, phase, buckets) for 1,024 requests at a time,
    which is often enough to stall no user.
    """

    def __init__(
        self, track: PhaseTrack, starts: IntendedStarts, warn: Callable[[Message], None] = lambda _: None
    ) -> None:
        self._track = track
        self._starts = starts
        self._warn = warn
        self.under_way: set[greenlet] = set()
        """Greenlets with a request in flight that has not been recorded yet."""
        self._began = time.perf_counter()
        self._endpoints: dict[tuple[str, str], int] = {}
        """By (method, name): the endpoint's number, times :data:`_FLAGS`."""
        self._numbers = count()
        self._new_endpoints: list[Wire] = []
        self._fold_at = math.inf
        """How many numbers are aggregated at a time; none before the run begins, as its second 0 is not known yet."""
        self._noted: list[float] = []
        """Of each request: its endpoint (with flags), when it was due (or else sent), when it was sent, when it ended
        (``perf_counter``), and the bytes received."""
        self._seconds: dict[int, SecondAccumulator] = {}
        self._failures = FailureLog(track)
        self._traced: TracedLog | None = None
        self.sampler: ResponseSampler | None = None
        """Keeps responses for the check against the contract, if there is one."""

    def begin(self, began_s: float) -> None:
        """The run's second 0 is at ``began_s`` of this machine's monotonic clock (``time.perf_counter``)."""
        self._began = began_s
        self._fold_at = _FOLD_AT

    def shift(self, by_s: float) -> None:
        """Move the run's second 0 by a fraction of a millisecond, because the machine's clock runs fast or slow."""
        self._began += by_s

    def keep_traced(self) -> None:
        """From now on, keep each request whose context has the ``traceparent`` that it was sent with."""
        self._traced = TracedLog(self._track)

    def now_s(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._began

    def record(
        self,
        method: str,
        name: str,
        start_perf_s: float,
        end_perf_s: float,
        bytes_received: int,
        exception: object = None,
        response: Any = None,
        context: Any = None,
        url: Any = None,
    ) -> None:
        """One request of the current greenlet, sent and ended at these moments of ``time.perf_counter()``.

        A request without a known start (NaN) is counted but not measured. ``exception`` means that it failed, and says
        why. The rest describes failures, of which a few are kept: ``response`` (its ``status_code`` and ``content``),
        the user's ``context``, ``url``.
        """
        if self.under_way:
            self.under_way.discard(getcurrent())
        due_perf_s = start_perf_s
        if self._starts:
            due_perf_s = self._due(start_perf_s)
        try:
            endpoint = self._endpoints[method, name]
        except KeyError:
            endpoint = self._endpoint(method, name)
        if exception is not None:
            self._failures.note(endpoint // _FLAGS, due_perf_s, end_perf_s, exception, response, context, url)
            endpoint += _FAILED
        if self.sampler is not None:
            failed = exception is not None
            self.sampler.note(endpoint // _FLAGS, due_perf_s, end_perf_s, method, failed, response, url)
        # Made first: a garbage collection that it starts may record a response that was dropped, and fold the list.
        entry = (endpoint, due_perf_s, start_perf_s, end_perf_s, bytes_received)
        noted = self._noted
        noted += entry
        if self._traced is not None and type(context) is dict and (trace := trace_of(context.get("traceparent"))):
            failed = exception is not None
            self._traced.note(trace, endpoint // _FLAGS, due_perf_s, start_perf_s, end_perf_s, failed=failed)
        if len(noted) >= self._fold_at:
            self._fold()

    def on_request(
        self,
        request_type: object = "",
        name: object = "",
        response_time: Any = None,
        response_length: Any = None,
        exception: object = None,
        start_time: Any = None,
        response: Any = None,
        context: Any = None,
        url: Any = None,
        **_: Any,
    ) -> None:
        """Locust's ``request`` event; ``response_time`` is the service time in ms, None or not finite if unknown.

        Clients that users write pass anything. As with Locust, a request has failed if ``exception`` is true. What
        cannot be read is recorded as failed, with a warning.
        """
        start_perf_s, end_perf_s, size = math.nan, time.perf_counter(), 0
        try:
            start_perf_s, end_perf_s = _times(response_time, start_time, end_perf_s)
            size = max(0, min(int(response_length or 0), _MAX_BYTES))
            exception = exception or None
        except Exception as error:  # noqa: BLE001  (an object of the scenario may raise anything)
            unreadable = message("request-event-unreadable", error=f"{type(error).__name__}: {encodable(error)}")
            self._warn(unreadable)
            exception = str(unreadable)
        method, name = (part if type(part) is str else encodable(part) for part in (request_type, name))
        self.record(method, name, start_perf_s, end_perf_s, size, exception, response, context, url)

    def _due(self, start_perf_s: float) -> float:
        """When the iteration was due, for its first request; when it was sent, for a later one.

        A task may send requests from greenlets that it spawns: they belong to the iteration of the spawning user.
        """
        current: greenlet | None = getcurrent()
        while current is not None:
            intended_s = self._starts.get(current)
            if intended_s is not None:
                due_perf_s = self._began + intended_s
                if due_perf_s > start_perf_s + _EARLIEST_START_S:
                    return start_perf_s  # recorded late, in an iteration after its own
                del self._starts[current]
                return due_perf_s
            spawned_by = getattr(current, "spawning_greenlet", None)
            current = spawned_by() if spawned_by else None
        return start_perf_s

    def take_traced(self) -> list[Wire]:
        """Return and forget the traced requests: :class:`TracedRequest`, with endpoints as numbered here.

        Call it before :meth:`take`, which names their endpoints.
        """
        return [] if self._traced is None else self._traced.take(self._began)

    def take_responses(self) -> tuple[list[Wire], dict[str, int]]:
        """Return and forget the kept responses (:class:`SampledResponse`), and how many were skipped, by reason.

        Call it before :meth:`take`, which names their endpoints.
        """
        if self.sampler is None:
            return [], {}
        kept, skipped = self.sampler.take()
        due_s = np.array([[one.due_perf_s, one.end_perf_s] for one in kept], dtype=np.float64).reshape(-1, 2)
        due_s -= self._began
        phases, _, _ = self._track.at(np.where(np.isnan(due_s[:, 0]), due_s[:, 1], due_s[:, 0]))
        return [
            [endpoint, phase, *response]
            for (endpoint, _, _, *response), phase in zip(kept, phases.tolist(), strict=True)
        ], skipped

    def _endpoint(self, method: str, name: str) -> int:
        """The number for a new endpoint, as in ``_endpoints``."""
        key = (method, name)
        if len(self._endpoints) >= ENDPOINTS and key != OTHER_ENDPOINTS:
            return self._endpoints.get(OTHER_ENDPOINTS) or self._endpoint(*OTHER_ENDPOINTS)
        number = next(self._numbers)  # not how many there are: a garbage collection here may record a response
        shown = (redacted(encodable(part)[:REDACTED_BYTES])[:_NAME_LENGTH] for part in key)
        self._new_endpoints.append([number, *shown])
        self._endpoints[key] = number * _FLAGS
        return number * _FLAGS

    def _fold(self) -> None:
        """Aggregate what was noted into its seconds."""
        # Taken out first: notes that cannot be aggregated must not block all later ones.
        noted, self._noted = self._noted, []
        columns = np.array(noted, dtype=np.float64).reshape(-1, 5).T
        self._failures.fold(self._began)
        code, due_s, start_s, end_s = columns[0].astype(np.int64), *(columns[1:4] - self._began)
        timed = ~np.isnan(start_s)
        due_s = np.where(np.isnan(due_s), end_s, due_s)
        phase, segment, is_open = self._track.at(due_s)
        keys = packed(phase, segment, code // _FLAGS)
        service_us = _microseconds(end_s - start_s)
        response_us = np.maximum(service_us, _microseconds(end_s - due_s))
        size = columns[4].astype(np.int64)
        failed = code % _FLAGS == _FAILED
        seconds = np.maximum(end_s, 0).astype(np.int64)
        for second in np.unique(seconds).tolist():
            of_second = self._seconds.get(second)
            if of_second is None:
                of_second = self._seconds[second] = SecondAccumulator()
            here = seconds == second
            of_second.add_requests(
                keys[here],
                is_open[here],
                response_us=response_us[here],
                service_us=service_us[here],
                bytes_received=size[here],
                failed=failed[here],
                timed=timed[here],
            )

    def take(self, before_second: int | None) -> tuple[dict[str, bytes], list[Wire], list[Wire], list[Wire]]:
        """Return and forget what ended before ``before_second`` (None: everything).

        Returns the requests (:meth:`SecondTable.to_wire`; endpoints as numbered here), endpoints named since the last
        call (``[number, method, name]``), and failures with their samples (:meth:`FailureLog.take`).
        """
        self._fold()
        ready = sorted(second for second in self._seconds if before_second is None or second < before_second)
        requests = SecondTable.joined([self._seconds.pop(second).table(second) for second in ready])
        endpoints, self._new_endpoints = self._new_endpoints, []
        return requests.to_wire(), endpoints, *self._failures.take()


def _times(response_time: Any, start_time: Any, now_s: float) -> tuple[float, float]:
    """When a request was sent (NaN: unknown) and when it ended, by ``perf_counter``, which is ``now_s`` now."""
    measured = response_time is not None and math.isfinite(float(response_time))
    service_s = float(response_time) / 1000 if measured else 0.0
    # Clients that users write may pass another clock as start_time, or no number.
    began_s = now_s - (time.time() - start_time) if isinstance(start_time, int | float) else now_s - service_s
    if not 0 <= now_s - began_s - service_s <= _LONGEST_BLOCK_S:
        began_s = now_s - service_s
    return began_s if measured else math.nan, began_s + service_s


def _microseconds(seconds: npt.NDArray[np.float64]) -> Ints:
    """As whole microseconds, from 0 to the maximum of a histogram; NaN becomes 0."""
    whole: Ints = np.fmin(np.fmax(np.rint(seconds * 1e6), 0), MAX_VALUE_US).astype(np.int64)
    return whole
