"""Failed requests that no gate looks at: gates on times alone can hold while the target answers with errors."""

from __future__ import annotations

from collections.abc import Sequence

from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.plan.model import Gate, Phase
from harness.plan.phases import phase_kind
from harness.record.summary import PhaseSummary

MANY = 0.01
"""The share of failed requests (0…1) from which on a phase gets a warning."""


def unread_failures(phase: Phase, summary: PhaseSummary, gates: Sequence[Gate]) -> Message | None:
    """A warning where many requests of a measured or stress phase failed and nothing reads its ``error_rate``.

    It is read by a gate, on all endpoints or on one, or by the ``until`` of a stress phase.
    """
    if not phase.measured and not phase_kind(phase.kind).by_steps:
        return None
    if summary.error_rate is None or summary.error_rate <= MANY or _reads_error_rate(phase, gates):
        return None
    return message("failures-not-gated", share=Amount(100 * summary.error_rate, "%"), phase=phase.name)


def _reads_error_rate(phase: Phase, gates: Sequence[Gate]) -> bool:
    reading = [gate for gate in gates if gate.phase == phase.name or (gate.phase is None and phase.measured)]
    groups = phase.until.any_of if phase.until else ()
    comparisons = [gate.comparison for gate in reading] + [comparison for group in groups for comparison in group]
    return any(comparison.metric == "error_rate" for comparison in comparisons)
