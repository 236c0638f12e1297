"""What the errors say: the kinds of failures behind an error rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.explain.questions import Question
from harness.messages import message
from harness.record.explanation import Cause
from harness.record.measurement import Interval

_MOST = 3


def causes(question: Question) -> Iterator[Cause]:
    record = question.record
    if record is None or question.family != "errors":
        return
    journal = question.run.journal
    kinds: Counter[str] = Counter()
    places: dict[str, Counter[str]] = {}
    for failure in journal.failures:
        endpoint = journal.endpoints[failure.endpoint]
        name = f"{endpoint.method} {endpoint.name}"
        inside = record.start_s <= failure.second + 0.5 < record.end_s and endpoint.variant == record.variant
        if inside and question.endpoint in (None, name):
            kinds[failure.failure] += failure.count
            places.setdefault(failure.failure, Counter())[name] += failure.count
    for kind, count in kinds.most_common(_MOST):
        share = count / kinds.total()
        [(most, _)] = places[kind].most_common(1)
        others = len(places[kind]) - 1
        what = message("cause-failures", failure=kind, count=count, total=kinds.total(), endpoint=most, others=others)
        yield question.cause("failures", what, share=Interval(value=share, low=share, high=share))
