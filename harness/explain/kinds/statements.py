"""More database statements per request than before, repeated ones (N+1), or long ones; from traces.

More statements take CPU time and waits, never the other way round. So they are named before those.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.arithmetic import less, mean_of, times
from harness.explain.questions import Question
from harness.messages import message
from harness.metrics.formatting import Amount
from harness.record.endpoint_statements import EndpointStatements
from harness.record.explanation import Cause
from harness.record.measurement import ALL, Interval

_MORE = 1.2
"""Times the statements of the baseline: fewer than that more are no news."""
_MANY = 10
"""Without a baseline, a statement that a request runs so often is a likely cause of slow responses."""
_MUCH = 0.3
"""Of the time for the database: a statement that takes less is no cause of it without a baseline."""


def causes(question: Question) -> Iterator[Cause]:
    if question.record is None or question.family not in ("time", "errors", "cpu", "capacity", "database"):
        return
    place = (question.record.plan.name, question.record.variant)
    traced = [entry for entry in question.summary.statements if (entry.phase, entry.variant) == place]
    for entry in traced:
        if question.endpoint not in (None, entry.endpoint) or not entry.statements_per_request:
            continue
        grown = _grown(question, "queries_per_request", entry.endpoint)
        if grown is None:
            if not question.is_compared:
                yield from _without_baseline(question, entry)
        elif grown.low > 0 and entry.statements_per_request > _MORE * (entry.statements_per_request - grown.value):
            before = entry.statements_per_request - grown.value
            what = message("cause-more-statements", before=before, **_words(entry))
            # Those that failed may have failed for another reason.
            sure = question.family != "errors"
            yield question.cause("statements", what, ms=_longer_ms(question, entry.endpoint), sure=sure)


def _without_baseline(question: Question, entry: EndpointStatements) -> Iterator[Cause]:
    most = entry.repeated[0].times if entry.repeated else 0.0
    of_count = question.metric == "queries_per_request" and (entry.repeated or question.endpoint is not None)
    if of_count or most >= _MANY:
        yield question.cause("statements", message("cause-statements", **_words(entry)), sure=False)
    elif question.metric == "db_time" and question.measured is not None and question.observed:
        longest, endpoints = entry.top[0], question.measured.endpoints
        part = 1.0 if question.endpoint else endpoints[entry.endpoint].requests / endpoints[ALL].requests
        share = min(1.0, longest.time_ms * part / question.observed)
        if share >= _MUCH:
            ms = Amount(longest.time_ms, "ms")
            what = message("cause-long-statement", endpoint=entry.endpoint, ms=ms, text=longest.text)
            yield question.cause("statements", what, share=Interval.exactly(share), sure=False)


def _words(entry: EndpointStatements) -> dict[str, object]:
    repeated = [message("statement-repeated", times=each.times, text=each.text) for each in entry.repeated[:1]]
    return {"endpoint": entry.endpoint, "count": entry.statements_per_request, "repeated": repeated}


def _longer_ms(question: Question, endpoint: str) -> Interval | None:
    """What the endpoint's requests wait longer for the database, spread over the requests of all endpoints."""
    grown = _grown(question, "db_time", endpoint) if question.family == "time" else None
    if grown is None or question.measured is None:
        return None
    endpoints = question.measured.endpoints
    return times(grown, endpoints[endpoint].requests / endpoints[ALL].requests)


def _grown(question: Question, metric: str, endpoint: str) -> Interval | None:
    """By how much a figure of the traces is above the baseline's; None if either is not known."""
    measured = question.measured and question.measured.endpoints.get(endpoint)
    now = measured.figures.get(metric) if measured else None
    if now is None or not question.is_compared:
        return None
    found = (phase.endpoints[endpoint].figures.get(metric) for phase in question.earlier if endpoint in phase.endpoints)
    before = [figure for figure in found if figure is not None]
    return less(now, mean_of(before)) if before else None
