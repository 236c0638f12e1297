"""Processes of the target that died: the first one breaks the run, a worker slows it down."""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.questions import Question
from harness.record.explanation import Cause
from harness.record.measurement import ONLY


def causes(question: Question) -> Iterator[Cause]:
    variant = question.record.variant if question.record else ONLY
    for end in question.summary.ends:
        of_run = question.family == "run" and end.root
        of_phase = question.family in ("errors", "time") and (end.phase, end.variant) == (question.phase, variant)
        if of_run or of_phase:
            yield question.cause("target-died", end.notice.message(), sure=of_run)
