"""What the errors say: the kinds of failures behind an error rate.

Measurements hold how many requests failed, not how. So a kind of failures is a sure cause of a rise if it has more than
the baseline had of all kinds together, or if the baseline had none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.analysis.contamination import contamination_of
from harness.explain.questions import Question
from harness.messages import message
from harness.record.explanation import Cause
from harness.record.measurement import Interval

_MOST = 3


def causes(question: Question) -> Iterator[Cause]:
    record = question.record
    if record is None or question.family != "errors":
        return
    run, journal = question.run, question.run.journal
    left_out = contamination_of(record, run, question.fault).not_counted
    kinds: Counter[str] = Counter()
    places: dict[str, Counter[str]] = {}
    for failure in journal.failures:
        endpoint = journal.endpoints[failure.endpoint]
        name = f"{endpoint.method} {endpoint.name}"
        counted = record.has_second(failure.second) and failure.second not in left_out
        inside = counted and endpoint.variant == record.variant
        if inside and question.endpoint in (None, name):
            kinds[failure.failure] += failure.count
            places.setdefault(failure.failure, Counter())[name] += failure.count
    for kind, count in kinds.most_common(_MOST):
        share = _share_of_rise(question, count / kinds.total())
        [(most, _)] = places[kind].most_common(1)
        others = len(places[kind]) - 1
        where = message("cause-failures-where", endpoint=most, others=others) if others else most
        what = message("cause-failures", failure=kind, count=count, total=kinds.total(), where=where)
        yield question.cause("failures", what, share=share, sure=share is not None)


def _share_of_rise(question: Question, share: float) -> Interval | None:
    """What a kind has of the rise if it has this ``share`` of the failures; None if that may be nothing."""
    rise, observed = question.rise, question.observed
    if not question.is_compared or rise is None or not observed or rise.value == observed:  # none in the baseline
        return Interval.exactly(share)
    new = min(1.0, rise.low / observed)
    low = 1 - (1 - share) / new
    return Interval(value=share, low=low, high=min(1.0, share / new)) if low > 0 else None
