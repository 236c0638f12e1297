"""How long after a fault the target may take to recover before its seconds count again."""

from __future__ import annotations

from collections.abc import Iterable

from harness.plan.model.run import Gate

MOST_RECOVERY_S = 10.0


def recovery_allowed_s(gates: Iterable[Gate], fault: str) -> float:
    """The longest that a gate allows for the recovery from ``fault``; :data:`MOST_RECOVERY_S` if that is more."""
    return max([MOST_RECOVERY_S, *(gate.comparison.value for gate in gates if gate.comparison.after == fault)])
