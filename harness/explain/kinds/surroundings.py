"""What the target's surroundings show: full pools, waits for database locks, caches that miss.

They were so while the figure got worse. How much of it they made is not known: likely causes without a part. What was
as bad in the baseline explains no rise.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.analysis.surroundings import SurroundingsFinding, surroundings_of
from harness.explain.questions import Question
from harness.metrics.series import SeriesFigure
from harness.record.explanation import Cause
from harness.record.measurement import ALL

AS_BAD = 0.9
"""From this share of the run's value on, the baseline's value counts as just as bad."""


def causes(question: Question) -> Iterator[Cause]:
    if question.record is None or question.family not in ("time", "errors", "capacity", "database"):
        return
    for finding in surroundings_of(question.record, question.run):
        if not (question.is_compared and _was_as_bad(finding, question)):
            yield question.cause("surroundings", finding.reason, sure=False)


def _was_as_bad(finding: SurroundingsFinding, question: Question) -> bool:
    if finding.kind == "cache-hits-fell":  # below the baseline's by definition
        return False
    statistic = "rate" if finding.kind == "evictions" else "mean"
    name = str(SeriesFigure(f"{finding.source}.{finding.series}", statistic))
    now = question.measured.endpoints[ALL].figures.get(name) if question.measured else None
    before = [figures[name].value for phase in question.earlier if name in (figures := phase.endpoints[ALL].figures)]
    return now is not None and bool(before) and float(np.mean(before)) >= AS_BAD * now.value
