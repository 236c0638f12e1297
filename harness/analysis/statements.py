"""What requests of each endpoint do inside the target: statements, repetitions, time by kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean

from harness.analysis.contamination import contamination_of
from harness.analysis.traces import Trace, phase_traces, records
from harness.record.endpoint_statements import EndpointStatements, RepeatedStatement, SlowRequest, StatementTime
from harness.recording.run import PhaseRecord, RunRecording

MANY = 3
"""A statement counts as repeated if a request runs it at least this many times: a loop may be the reason."""
_TOP = 5
_SLOWEST = 3


def statements_of(run: RunRecording, record: PhaseRecord) -> list[EndpointStatements]:
    """Of each endpoint that was traced in a phase; those on which all its requests together spend the most first.

    Requests that ended in seconds that faults disturbed do not count.
    """
    traced = phase_traces(run, record, contamination_of(record, run).not_counted)
    found = [_endpoint(name, run, record, traces) for name, traces in traced.items()]
    return sorted(found, key=lambda entry: (-entry.requests * sum(entry.time_by_kind_ms.values()), entry.endpoint))


def slowest(traces: Sequence[Trace]) -> list[Trace]:
    """Those with the longest response times, the longest first."""
    return sorted(traces, key=lambda trace: (-trace.request.response_us, trace.request.trace))[:_SLOWEST]


def in_words(entry: EndpointStatements) -> str | None:
    """Its repeated statements in words: ``GET /cart: 41 statements, one of them 38 times``; None if there are none."""
    if not entry.repeated or entry.statements_per_request is None:
        return None
    times = entry.repeated[0].times
    return f"{entry.endpoint}: {entry.statements_per_request:.3g} statements, one of them {times:.3g} times"


def _endpoint(name: str, run: RunRecording, record: PhaseRecord, traces: Sequence[Trace]) -> EndpointStatements:
    requests = len(traces)
    spent_ms: dict[str, float] = defaultdict(float)
    for trace in traces:
        for span in trace.waits:
            if span.kind == "database":
                spent_ms[span.text] += span.length_ms / requests
    counts = [Counter(trace.statements) for trace in traces]
    times = {text: sum(count[text] for count in counts) / requests for text in spent_ms}
    longest = sorted(spent_ms, key=lambda text: (-spent_ms[text], text))[:_TOP]
    outside_ms = fmean(max(trace.request.service_us / 1000 - trace.root.length_ms, 0.0) for trace in traces)
    return EndpointStatements(
        endpoint=name,
        phase=record.plan.name,
        variant=record.variant,
        requests=requests,
        statements_per_request=sum(times.values()) if "database" in records(run) else None,
        repeated=sorted(_repeated(spent_ms, counts), key=lambda entry: (-entry.times * entry.share, entry.text))[:_TOP],
        top=[StatementTime(text=text, times=times[text], time_ms=spent_ms[text]) for text in longest],
        time_by_kind_ms={
            **{kind: fmean(trace.time_ms[kind] for trace in traces) for kind in traces[0].time_ms},
            "outside": outside_ms,
        },
        slowest=[_slow(trace, run) for trace in slowest(traces)],
    )


def _repeated(spent_ms: dict[str, float], counts: Sequence[Counter[str]]) -> Iterator[RepeatedStatement]:
    for text, time_ms in spent_ms.items():
        repeats = [count[text] for count in counts if count[text] > 1]
        if repeats and fmean(repeats) >= MANY:
            share = len(repeats) / len(counts)
            yield RepeatedStatement(text=text, times=fmean(repeats), share=share, time_ms=time_ms)


def _slow(trace: Trace, run: RunRecording) -> SlowRequest:
    traces, trace_id = run.plan.sampling.traces, trace.request.trace.hex()
    return SlowRequest(
        trace_id=trace_id,
        url=traces.url.replace("{trace_id}", trace_id) if traces and traces.url else None,
        at_s=trace.request.at_s,
        response_ms=trace.request.response_us / 1000,
    )
