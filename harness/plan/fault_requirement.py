"""Requirements on faults: ``during "db slow"`` and ``recovery_time < 10s after "db slow"``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import InvalidValue
from harness.metrics.faults import RECOVERY_TIME
from harness.metrics.statistics import Proportion, Quantile
from harness.plan.requirement import Comparison, Condition

if TYPE_CHECKING:
    from lark import Token


def on_fault(comparison: Comparison, tokens: Sequence[Token]) -> Comparison:
    """``comparison`` with the fault that its ``tokens`` name, if they name one. Raises ``InvalidValue``."""
    at = next((token for token in tokens if token.type in ("DURING", "AFTER")), None)
    word = None if at is None else at.type.lower()
    name = next((token[1:-1].strip() for token in tokens if token.type == "FAULT"), "")
    is_recovery, source = comparison.metric == RECOVERY_TIME, comparison.source
    if word is not None and not name:
        raise InvalidValue("fault-name-empty", text=source)
    if is_recovery != (word == "after"):
        bare = source if at is None else source[: (at.start_pos or 0) - (tokens[0].start_pos or 0)].rstrip()
        code = "recovery-without-fault" if is_recovery else "after-without-recovery"
        raise InvalidValue(code, text=source, bare=bare, name=name or "db slow")
    if comparison.baseline and word == "after":
        raise InvalidValue("recovery-with-baseline", text=source, name=name)
    if comparison.step and word is not None:
        change = "<= baseline + 20%" if comparison.is_upper else ">= baseline - 20%"
        raise InvalidValue("fault-with-step", text=source, meant=f'{comparison.metric} {change} during "{name}"')
    if word == "during" and comparison.measures.needs in ("steps", "verify", "contract"):
        raise InvalidValue("fault-not-by-second", text=source, metric=comparison.metric)
    return comparison if word is None else comparison.model_copy(update={word: name})


def checked_recovery(condition: Condition) -> Condition:
    """A condition that has to hold after a fault. Raises ``InvalidValue``."""
    for comparison in (comparison for group in condition.any_of for comparison in group):
        of_requests = comparison.measures.needs == "requests"
        is_share = of_requests and isinstance(comparison.measures.statistic, Quantile | Proportion)
        if not is_share or not comparison.is_upper or comparison.baseline or comparison.fault is not None:
            raise InvalidValue("recovery-condition-invalid", text=comparison.source)
    return condition
