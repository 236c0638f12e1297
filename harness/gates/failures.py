"""Failed requests that no gate looks at: gates on times alone can hold while the target answers with errors."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.metrics.formatting import amount
from harness.plan.model import Gate, Phase
from harness.plan.phases import phase_kind
from harness.record.summary import PhaseSummary

MANY = 0.01
"""The share of failed requests (0…1) above which a phase is warned of."""


def unread_failures(phase: Phase, summary: PhaseSummary, gates: Sequence[Gate]) -> str | None:
    """A warning where many requests of a measured or stress phase failed and nothing reads its ``error_rate``.

    Read it is by a gate, on all endpoints or on one, and by the ``until`` of a stress phase.
    """
    if not phase.measured and not phase_kind(phase.kind).by_steps:
        return None
    if summary.error_rate is None or summary.error_rate <= MANY or _reads_error_rate(phase, gates):
        return None
    name = json.dumps(phase.name, ensure_ascii=False)
    return (
        f"{amount(100 * summary.error_rate, '%')} of the requests of phase {phase.name!r} failed, and no gate "
        f'reads error_rate there: gate("error_rate < 1%", phase={name}) would'
    )


def _reads_error_rate(phase: Phase, gates: Sequence[Gate]) -> bool:
    reading = [gate for gate in gates if gate.phase == phase.name or (gate.phase is None and phase.measured)]
    groups = phase.until.any_of if phase.until else ()
    comparisons = [gate.comparison for gate in reading] + [comparison for group in groups for comparison in group]
    return any(comparison.metric == "error_rate" for comparison in comparisons)
