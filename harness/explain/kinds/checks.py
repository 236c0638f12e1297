"""Why checks of the scenario failed: what they observed instead."""

from __future__ import annotations

from collections.abc import Iterator

from harness.explain.families import metric_of
from harness.explain.questions import Question
from harness.messages import message
from harness.metrics.named import metric_name
from harness.record.explanation import Cause


def causes(question: Question) -> Iterator[Cause]:
    if question.record is None:
        return
    place = (question.record.plan.name, question.record.variant)
    asked = {metric_of(gate) for gate in question.gates}
    for check in question.summary.checks:
        if metric_name("check", check.name) in asked and (check.phase, check.variant) == place and check.samples:
            made, reasons = check.passed + check.failed, ", or ".join(check.samples)
            what = message("cause-check", check=check.name, failed=check.failed, made=made, reasons=reasons)
            yield question.cause("check", what)
