"""Joins traced requests with the spans that the target recorded for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.messages import Message, message
from harness.record.spans import Span, SpanKind
from harness.record.traced_requests import TracedRequest
from harness.recording.run import PhaseRecord, RunRecording
from harness.recording.streams import SPANS

OWN = "own"
_WAITS: tuple[SpanKind, ...] = ("database", "cache", "downstream", "pool")
"""What the time of a request goes to, besides the target's own code."""


@dataclass(frozen=True, eq=False)
class Trace:
    """One request and the spans of its trace, by their start."""

    request: TracedRequest
    root: Span
    """The target's span that handled it; from the first to the last of several, if it was redirected."""
    spans: Sequence[Span]

    @cached_property
    def waits(self) -> list[Span]:
        """The spans of statements, calls and so on that the target itself made: none inside another one."""
        below: dict[bytes, list[Span]] = defaultdict(list)
        for span in self.spans:
            below[span.parent].append(span)
        found, open_spans, seen = [], [self.root], {self.root.span}
        while open_spans:
            for span in below[open_spans.pop().span]:
                if span.span in seen:  # a damaged trace may go round in circles
                    continue
                seen.add(span.span)
                if span.kind in _WAITS:
                    found.append(span)
                else:
                    open_spans.append(span)
        return sorted(found, key=lambda span: span.start_ns)

    @cached_property
    def statements(self) -> list[str]:
        """The database statements that it ran, in order."""
        return [span.text for span in self.waits if span.kind == "database"]

    @cached_property
    def time_ms(self) -> dict[str, float]:
        """Where the time of :attr:`root` went, by kind; of a kind, what runs at the same time counts once."""
        times: dict[str, float] = {kind: _covered_ms(self._within(kind)) for kind in _WAITS}
        return {OWN: max(self.root.length_ms - _covered_ms(self._within(*_WAITS)), 0.0), **times}

    def _within(self, *kinds: SpanKind) -> Iterator[tuple[int, int]]:
        """When spans of these kinds ran, cut to the time of :attr:`root`."""
        for span in self.waits:
            if span.kind in kinds:
                start, end = max(span.start_ns, self.root.start_ns), min(span.end_ns, self.root.end_ns)
                if start < end:
                    yield start, end


def traces_of(run: RunRecording) -> dict[tuple[int, int], list[Trace]]:
    """The traces of whole requests, by phase and endpoint. Computed once.

    Spans of other requests are left out, and so is a trace of which a part is missing.
    """
    return run.once("traces", lambda: _traces(run))


def records(run: RunRecording) -> set[str]:
    """Which kinds of spans the target recorded in any traced request. Other kinds may exist but not be recorded."""
    return run.once(
        "recorded kinds",
        lambda: {span.kind for found in traces_of(run).values() for trace in found for span in trace.waits},
    )


def phase_traces(run: RunRecording, record: PhaseRecord, left_out: Container[int] = ()) -> dict[str, list[Trace]]:
    """The traces of a phase by endpoint, as gates name it, without requests that ended in the seconds ``left_out``."""
    endpoints = run.journal.endpoints
    return {
        str(endpoints[endpoint]): kept
        for (phase, endpoint), found in traces_of(run).items()
        if phase == record.index and endpoints[endpoint].variant == record.variant
        if (kept := [trace for trace in found if int(trace.request.ended_s) not in left_out])
    }


def _traces(run: RunRecording) -> dict[tuple[int, int], list[Trace]]:
    requests = {request.trace: request for request in run.journal.traced}
    if not requests:
        return {}
    spans: dict[bytes, dict[bytes, Span]] = defaultdict(dict)
    for span in run.read(SPANS).spans:
        if span.trace in requests:
            spans[span.trace].setdefault(span.span, span)  # an exporter may send twice
    found: dict[tuple[int, int], list[Trace]] = defaultdict(list)
    for trace, of_trace in spans.items():
        request = requests[trace]
        ordered = sorted(of_trace.values(), key=lambda span: (span.start_ns, -span.end_ns))
        root = _root(request, [span for span in ordered if span.parent == request.span])
        known = {request.span, *of_trace}
        # Of other services some may send their spans elsewhere.
        if root is not None and all(span.parent in known or span.service != root.service for span in ordered):
            found[request.phase, request.endpoint].append(Trace(request, root, ordered))
    return found


def _root(request: TracedRequest, first: Sequence[Span]) -> Span | None:
    if len(first) < 2:
        return first[0] if first else None
    return first[0]._replace(span=request.span, parent=b"", end_ns=max(span.end_ns for span in first))


def _covered_ms(intervals: Iterable[tuple[int, int]]) -> float:
    """How long at least one of the intervals lasts."""
    covered = until = 0
    for start, end in sorted(intervals):
        covered += max(end - max(start, until), 0)
        until = max(until, end)
    return covered / 1e6


def trace_notes(run: RunRecording) -> list[Message]:
    """What a person should know of spans that are missing."""
    if not SPANS.recorded_in(run.folder) or not run.journal.seconds:
        return []
    received = run.read(SPANS).received
    notes = []
    if received.over_limit:
        notes.append(message("spans-over-limit", count=received.over_limit))
    if received.invalid:
        notes.append(message("spans-invalid", count=received.invalid))
    if received.refused:
        notes.append(message("exports-refused", count=received.refused))
    if not run.journal.traced:
        notes.append(message("requests-not-traced"))
    elif not traces_of(run):
        notices = run.environment.notices if run.environment else []
        if any(notice.code == "target-not-instrumented" for notice in notices):  # that says why
            return notes
        notes.append(message("spans-missing", requests=len(run.journal.traced)))
    elif not records(run):
        notes.append(message("spans-without-work"))
    return notes
