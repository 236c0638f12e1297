"""The load generator was the limit, or made response times longer than they were."""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.questions import Question
from harness.messages import message
from harness.record.explanation import Cause


def causes(question: Question) -> Iterator[Cause]:
    phase = question.phase_summary
    if phase is None or question.family not in ("time", "errors", "capacity"):
        return
    if phase.generator_limited:
        yield question.cause("generator", message("cause-generator-limited", why=phase.generator_limited))
    elif phase.generator_strained and question.family == "time":
        what = message("cause-generator-strained", why=phase.generator_strained)
        yield question.cause("generator", what, sure=False)
