"""Memory that grew throughout, and what kept it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.questions import Question
from harness.record.explanation import Cause


def causes(question: Question) -> Iterator[Cause]:
    if question.family != "memory":
        return
    for notice in question.summary.notices:
        if notice.code == "target-memory-grew" and notice.params.get("phase") == question.phase:
            yield question.cause("memory", notice.message())
