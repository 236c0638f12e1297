"""Memory that grew throughout, and what kept it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.questions import Question
from harness.record.explanation import Cause, Place


def causes(question: Question) -> Iterator[Cause]:
    if question.family != "memory" or question.record is None:
        return
    for leak in question.summary.leaks:
        if (leak.phase, leak.variant) == (question.record.plan.name, question.record.variant):
            place = Place(function=leak.function, file=leak.file, line=leak.line) if leak.function else None
            yield question.cause("memory", leak.notice.message(), place=place)
