"""What the target's surroundings show: full pools, waits for database locks, caches that miss.

They were so while the figure got worse. How much of it they made is not known: likely causes without a part.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.surroundings import surroundings_of
from harness.explain.questions import Question
from harness.record.explanation import Cause


def causes(question: Question) -> Iterator[Cause]:
    if question.record is None or question.family not in ("time", "errors", "capacity", "database"):
        return
    for finding in surroundings_of(question.record, question.run):
        yield question.cause("surroundings", finding.reason, sure=False)
