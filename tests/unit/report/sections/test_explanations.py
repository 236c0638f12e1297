"""A cause is listed once for everything that it explains."""

from __future__ import annotations

import pytest

from harness.messages import message
from harness.record.explanation import Cause, Explanation
from harness.record.gate_result import GateResult
from harness.record.measurement import Interval
from harness.record.notice import Notice
from harness.report.exporters.markdown import summary_markdown
from harness.report.sections import SECTIONS
from harness.report.sections.explanations import _SHOWN_IN, alike, link_of, shown, unexplained_of
from harness.report.sections.verdict import new_warnings
from tests.support.baselines import make_summary


def noted(text: str) -> Notice:
    return Notice.of(message("note", text=text))


def explanation(metric: str, *causes: str) -> Explanation:
    return Explanation(
        metric=metric,
        what=noted(metric),
        causes=[Cause(kind="cpu", sure=True, what=noted(cause)) for cause in causes],
    )


def test_equal_causes_are_grouped_and_unexplained_changes_come_last() -> None:
    found = [
        explanation("rss_max"),
        explanation("p95", "f", "g"),
        explanation("p99", "f"),
        explanation("mean", "f", "g"),
    ]
    assert [[each.metric for each in same] for same in alike(found)] == [["p95", "mean"], ["p99"], ["rss_max"]]


def test_a_reason_of_the_verdict_is_not_also_a_cause() -> None:
    died, neighbour = explanation("run", "the target died"), explanation("p95", "a neighbour")
    summary = make_summary().model_copy(
        update={"reasons": ["the target died; its log may say why"], "explanations": [died, neighbour]}
    )
    assert shown(summary) == [neighbour]


def test_a_cause_is_not_also_a_warning() -> None:
    warnings = ["phase 'steady': the pool was full", "the clock jumped", "the clock jumped"]
    summary = make_summary().model_copy(
        update={"warnings": warnings, "explanations": [explanation("p95", "the pool was full")]}
    )
    assert new_warnings(summary) == ["the clock jumped"]


def test_why_the_load_generator_was_the_bottleneck_is_said_once() -> None:
    why = "worker 0 had no core"
    limited = GateResult(require="p95 < 1ms", status="inconclusive", phase="steady").because(
        message("gate-generator-limited", why=why)
    )
    cause = Cause(kind="generator", sure=True, what=Notice.of(message("cause-generator-limited", why=why)))
    explained = Explanation(metric="p95", gates=["p95 < 1ms"], what=noted("p95"), causes=[cause])
    summary = make_summary().warned(message("phase-generator-limited", phase="steady", why=why))
    summary = summary.model_copy(update={"gates": [limited], "explanations": [explained]})
    assert new_warnings(summary) == []
    text = summary_markdown(summary)
    assert (text.count(why), text.count(str(message("gate-generator-as-explained")))) == (1, 1)


@pytest.mark.parametrize(("left", "said"), [(0.0, False), (1.0, True)])
def test_nothing_is_unexplained_where_the_causes_explain_it_all(left: float, said: bool) -> None:
    unexplained = Interval(value=left, low=0.0, high=1.4)
    found = explanation("p95", "f").model_copy(update={"unit": "ms", "unexplained": unexplained})
    assert bool(unexplained_of(found)) == said


def test_a_cause_leads_to_the_section_that_shows_more_of_it() -> None:
    slow = explanation("p95").model_copy(update={"phase": "busy & long"})
    lock, died = Cause(kind="lock", what=noted("lock")), Cause(kind="target-died", what=noted("died"))
    assert link_of(slow, lock) == ("#waits?phase=busy+%26+long", "waits")
    assert link_of(slow, died) is None
    assert set(_SHOWN_IN.values()) <= {type(section) for section in SECTIONS}
