"""Orders causes and says what they leave unexplained.

Causes that void the figure (a dead target, a generator that was the limit) come first. Then come those that are sure,
those that make others before those that they make, then the greatest first. Then come those that are only likely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.explain.kinds import KINDS, OF_FAULTS, ROOTS, VOIDING
from harness.explain.questions import Question
from harness.messages import Message, message
from harness.metrics import run_metric
from harness.metrics.formatting import Amount, Estimate, title
from harness.record.explanation import Cause, Explanation
from harness.record.measurement import Interval
from harness.record.notice import Notice

SMALLEST_SHARE = 0.05
"""A cause that explains less of the rise is not named."""
MOST_CAUSES = 5


def explanation_of(question: Question) -> Explanation:
    """What is known of the causes of one figure."""
    kinds = KINDS if question.fault is None else OF_FAULTS
    found = [cause for kind in kinds for cause in kind(question) if _counts(cause)]
    causes = ranked(found, contaminated=question.undecided_for_others)[:MOST_CAUSES]
    sampled = question.measured is not None and question.measured.waits is not None
    if sampled and [cause.kind for cause in causes] == ["cores-taken"] and not question.attribution.suspects:
        causes[0].evidence.append(Notice.of(message("evidence-nothing-in-target")))
    change, gate = question.change, next(iter(question.gates), None)
    compared = question.is_compared
    before = question.nights or change
    reference = before.baseline if compared and before else gate.limit if gate else None
    return Explanation(
        phase=question.phase,
        endpoint=question.endpoint,
        metric=question.metric,
        gates=[result.require for result in question.gates],
        unit=change.unit if change else gate.unit if gate else "",
        observed=question.observed,
        reference=reference,
        against=None if reference is None else "baseline" if compared else "limit",
        rise=question.rise,
        causes=causes,
        unexplained=unexplained(question.whole, causes),
        what=Notice.of(_what(question)),
    )


def ranked(causes: Sequence[Cause], *, contaminated: bool = False) -> list[Cause]:
    """The most important first; of likely ones, others that left a gate undecided."""
    return sorted(
        causes,
        key=lambda cause: (
            cause.kind not in VOIDING,
            not cause.sure,
            cause.kind not in ROOTS and not (contaminated and cause.kind == "cores-taken"),
            cause.kind == "failures",
            -_share(cause),
        ),
    )


def unexplained(whole: Interval | None, causes: Sequence[Cause]) -> Interval | None:
    """What the sure causes leave of ``whole``; None where none has a part."""
    parts = [cause.part for cause in causes if cause.sure and cause.part is not None]
    if whole is None or not parts:
        return None
    left = whole.value - sum(part.value for part in parts)
    below = math.hypot(*(_above(part) for part in parts))
    above = math.hypot(*(part.value - part.low for part in parts))
    high = min(whole.value, max(0.0, left + above))
    return Interval(value=max(0.0, left), low=max(0.0, left - below), high=high)


def _above(part: Interval) -> float:
    return math.inf if part.high is None else part.high - part.value


def _counts(cause: Cause) -> bool:
    return cause.share is None or cause.share.value >= SMALLEST_SHARE


def _share(cause: Cause) -> float:
    return 0.0 if cause.share is None else cause.share.value


def _what(question: Question) -> Message:
    """What got worse, as a sentence."""
    if question.family == "run":
        return message("explain-run-broken")
    if question.family == "contract" and (contract := question.summary.contract) is not None:
        return message("explain-contract", breached=contract.breached, checked=contract.checked)
    if question.family in ("invariant", "contract") or question.blocked_requests:
        return message("explain-invariant", reason=question.gates[0].reason)
    place = {"metric": title(question.metric), "of": _of(question)}
    gate = next(iter(question.gates), None)
    if question.is_compared and question.rise is not None and question.observed is not None:
        metric = run_metric(question.metric)
        unit = metric.unit.name
        rise = {**place, "by": Estimate(question.rise, unit), "now": Amount(question.observed, unit)}
        if question.nights is not None:
            code = "explain-nights-rose" if metric.better == "lower" else "explain-nights-fell"
            return Message(code, {**rise, "nights": question.nights.count})
        return Message("explain-rose" if metric.better == "lower" else "explain-fell", rise)
    if gate is not None and gate.observed is not None and gate.status == "inconclusive":
        return message("explain-undecided", require=gate.asked, **place, now=Amount(gate.observed, gate.unit))
    if gate is not None and gate.observed is not None and gate.limit is not None:
        return message(
            "explain-beyond-limit", **place, now=Amount(gate.observed, gate.unit), limit=Amount(gate.limit, gate.unit)
        )
    if gate is not None:
        return message("explain-gate-failed", require=gate.asked)
    return message("explain-memory-grew", phase=question.phase)


def _of(question: Question) -> str:
    """The place, as the end of a name: `` of GET /search in steady``."""
    endpoint = f" of {question.endpoint}" if question.endpoint else ""
    fault = f" ({question.fault})" if question.fault else ""
    return f"{endpoint} in {question.phase}{fault}" if question.phase else endpoint
