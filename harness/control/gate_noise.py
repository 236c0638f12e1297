"""Finds gates that are tighter than what an unchanged build keeps on this machine, before a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.errors import HarnessError
from harness.messages import Message, message
from harness.metrics.formatting import Amount
from harness.plan.model.run import RunPlan
from harness.record.measurement import ALL
from harness.store import Store


def too_tight(plan: RunPlan, fingerprint: Callable[[], str], store: Store) -> Iterator[Message]:
    """For each gate that is tighter than an unchanged build keeps on this machine, a warning before the run.

    ``fingerprint`` of this machine may take a moment to know, and is only asked for if such gates could be.
    """
    stated = ((gate, gate.comparison) for gate in plan.gates)
    relative = [gate for gate, asked in stated if asked.baseline and asked.percent and asked.fault is None]
    if not relative:
        return
    try:
        calibration = store.calibration_for(*plan.key, fingerprint())
    except HarnessError:
        return  # the run does not need it
    if calibration is None:
        return
    for gate in relative:
        names = [gate.phase] if gate.phase else [phase.name for phase in plan.phases if phase.measured]
        floors = [calibration.floor(name, gate.endpoint or ALL, gate.comparison.metric) for name in names]
        tightest = max((floor.limit for floor in floors if floor is not None), default=0.0)
        if abs(gate.comparison.value) < 100 * tightest:
            yield message(
                "gate-tighter-than-noise",
                gate=gate.comparison.source,
                runs=len(calibration.run_ids),
                limit=Amount(100 * tightest, "%"),
            )
