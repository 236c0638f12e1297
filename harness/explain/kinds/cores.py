"""Others took the cores: the target stood ready to run, and waited for one.

What the target lost to others is at most the time that its threads waited in run queues, and at most what others used;
see :mod:`harness.analysis.contamination`. A phase's figures that leave such seconds out have another cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.contamination import contamination_of
from harness.explain.questions import Question
from harness.messages import message
from harness.metrics.formatting import Amount
from harness.record.explanation import Cause


def causes(question: Question) -> Iterator[Cause]:
    record = question.record
    if record is None or question.family not in ("time", "errors", "capacity", "cpu"):
        return
    found = contamination_of(record, question.run)
    if not found.count or (found.leaves_enough and question.family != "capacity"):
        return
    yield question.cause(
        "cores-taken",
        message(
            "cause-cores-taken",
            share=Amount(100 * found.share, "%"),
            phase=record.plan.name,
            seconds=spans_of(found.numbers),
            others=found.others_cores,
        ),
    )


def spans_of(seconds: Sequence[int]) -> list[str]:
    """Numbers as spans: ``12–19 s``."""
    spans: list[list[int]] = []
    for second in seconds:
        if spans and second == spans[-1][1]:
            spans[-1][1] = second + 1
        else:
            spans.append([second, second + 1])
    return [f"{first}–{end} s" for first, end in spans]
