"""Causes are said once for all that they explain."""

from __future__ import annotations

from harness.messages import message
from harness.record.explanation import Cause, Explanation
from harness.record.notice import Notice
from harness.report.sections.explanations import alike


def noted(text: str) -> Notice:
    return Notice.of(message("note", text=text))


def explanation(metric: str, *causes: str) -> Explanation:
    return Explanation(
        metric=metric,
        what=noted(metric),
        causes=[Cause(kind="cpu", sure=True, what=noted(cause)) for cause in causes],
    )


def test_what_has_the_same_causes_stands_together_and_what_has_none_comes_last() -> None:
    found = [
        explanation("rss_max"),
        explanation("p95", "f", "g"),
        explanation("p99", "f"),
        explanation("mean", "f", "g"),
    ]
    assert [[each.metric for each in same] for same in alike(found)] == [["p95", "mean"], ["p99"], ["rss_max"]]
