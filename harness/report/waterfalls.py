"""The slowest traced requests of each phase, span by span, as rows of bars."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.statements import slowest
from harness.analysis.traces import Trace, phase_traces
from harness.record.spans import Span
from harness.recording.run import RunRecording

_ROWS = 30


@dataclass(frozen=True, slots=True)
class Bar:
    """One span, in per cent of the request's time."""

    left: float
    width: float


@dataclass(slots=True)
class Row:
    """One span, or several that follow each other and say the same."""

    text: str
    service: str
    kind: str
    depth: int
    start_ms: float
    """From when the request was due."""
    length_ms: float
    bars: list[Bar]
    failed: bool

    @property
    def times(self) -> int:
        return len(self.bars)


@dataclass(frozen=True, slots=True)
class Waterfall:
    endpoint: str
    trace_id: str
    url: str | None
    at_s: float
    response_ms: float
    waited_ms: float
    """How long it waited to be sent: with open arrivals, its response time counts from when it was due."""
    rows: list[Row]
    left_out: int
    """How many more rows there are."""
    clocks_differ: bool
    """Whether the target's clock differs from the generator's: then the request's time lies around the target's."""


def waterfalls(run: RunRecording) -> dict[str, list[Waterfall]]:
    """By the title of the phase."""
    found = {}
    for record in run.phases:
        traces = [(trace, name) for name, of_name in phase_traces(run, record).items() for trace in of_name]
        names = {trace.request.trace: name for trace, name in traces}
        if traces:
            longest = slowest([trace for trace, _ in traces])
            found[record.title] = [_waterfall(run, trace, names[trace.request.trace]) for trace in longest]
    return found


def _waterfall(run: RunRecording, trace: Trace, endpoint: str) -> Waterfall:
    request, settings = trace.request, run.plan.sampling.traces
    whole_ms = max(request.response_us, 1) / 1000
    waited_ms = (request.response_us - request.service_us) / 1000
    root_ms = trace.root.start_ns / 1e6 - 1000 * (run.journal.epoch_s + request.at_s)
    last_ms = max(whole_ms - trace.root.length_ms, 0.0)
    clocks_differ = not waited_ms - 1 <= root_ms <= last_ms + 1
    if clocks_differ:
        root_ms = waited_ms + max(request.service_us / 1000 - trace.root.length_ms, 0.0) / 2
    rows: list[Row] = []
    parents = {span.span: span.parent for span in trace.spans}
    for span in trace.spans:
        start_ms = root_ms + (span.start_ns - trace.root.start_ns) / 1e6
        _add(rows, span, _depth(span, parents), start_ms, whole_ms)
    return Waterfall(
        endpoint=endpoint,
        trace_id=request.trace.hex(),
        url=settings.url.replace("{trace_id}", request.trace.hex()) if settings and settings.url else None,
        at_s=request.at_s,
        response_ms=whole_ms,
        waited_ms=waited_ms,
        rows=rows[:_ROWS],
        left_out=max(len(rows) - _ROWS, 0),
        clocks_differ=clocks_differ,
    )


def _add(rows: list[Row], span: Span, depth: int, start_ms: float, whole_ms: float) -> None:
    text, left = span.text or span.name, min(max(100 * start_ms / whole_ms, 0.0), 100.0)
    bar = Bar(left, min(100 * span.length_ms / whole_ms, 100.0 - left))
    last = rows[-1] if rows else None
    if last and (last.text, last.kind, last.service, last.depth) == (text, span.kind, span.service, depth):
        last.bars.append(bar)
        last.length_ms += span.length_ms
        last.failed |= span.failed
    else:
        rows.append(Row(text, span.service, span.kind, depth, start_ms, span.length_ms, [bar], span.failed))


def _depth(span: Span, parents: dict[bytes, bytes]) -> int:
    depth, at, seen = 0, span.parent, {span.span}
    while at in parents and at not in seen:
        seen.add(at)
        depth, at = depth + 1, parents[at]
    return depth
