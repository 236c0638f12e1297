"""What a scenario's ``verify`` says about an invariant that did not hold."""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.questions import Question
from harness.messages import message
from harness.record.explanation import Cause


def causes(question: Question) -> Iterator[Cause]:
    if question.family != "invariant":
        return
    for gate in question.gates:
        yield question.cause("invariant", message("cause-invariant", reason=gate.reason))
