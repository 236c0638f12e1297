"""Whether a run may end early: a gate can no longer hold, or all gates of a duet are decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.analysis.duet import paired
from harness.analysis.run_sets import SURE
from harness.gates.live import LiveGates
from harness.gates.live_faults import LiveFaults
from harness.gates.requirement import judge_beside
from harness.gates.run_totals import RunTotals
from harness.messages import Message, message
from harness.plan.gating import reads
from harness.plan.model.phase import Phase
from harness.plan.model.run import Gate, RunPlan
from harness.record.gate_result import GateStatus
from harness.record.journal import Journal
from harness.record.journal_entries import EndReason
from harness.record.measurement import ALL
from harness.record.run_folder import RunFolder
from harness.recording.run import RunRecording

LOOK_S = 4
"""How often a duet's gates are checked: about every second block."""

EarlyStop = Callable[[Journal], tuple[EndReason, Message] | None]
"""Called with the journal whenever it may have grown; why the run may end, for the journal and for people."""


def early_stop(plan: RunPlan, folder: RunFolder) -> EarlyStop:
    """What ends a run of ``plan`` early."""
    return DuetDecided(plan, folder) if plan.is_duet else GateLost(plan, folder)


class GateLost:
    """A gate has failed beyond recovery."""

    def __init__(self, plan: RunPlan, folder: RunFolder) -> None:
        self._totals = RunTotals(plan, LiveFaults(plan, folder))
        self._gates = LiveGates(self._totals)

    def __call__(self, journal: Journal) -> tuple[EndReason, Message] | None:
        self._totals.update(journal)
        lost = self._gates.lost()
        if lost is None:
            return None
        source = lost.gate.comparison.source
        return "gate failed", message("run-stopped-early", gate=source, phase=lost.phase, reason=lost.reason)


class DuetDecided:
    """All gates of a duet hold, or one has failed, by intervals that stay valid however often they are looked at.

    Gates with a limit of their own have no such intervals: with one of them, only a failure ends the run.
    """

    def __init__(self, plan: RunPlan, folder: RunFolder) -> None:
        self._plan = plan
        self._folder = folder
        self._measured = [phase for phase in plan.phases if phase.measured]
        self._relative = [gate for gate in plan.gates if gate.comparison.baseline]
        self._looked_s = 0

    def __call__(self, journal: Journal) -> tuple[EndReason, Message] | None:
        now_s = journal.seconds[-1].second if journal.seconds else 0
        if now_s < self._looked_s + LOOK_S or not self._is_last(journal):
            return None
        self._looked_s = now_s
        run = RunRecording.of_journal(self._folder, self._plan, journal)
        statuses = [
            (gate, phase, self._status(run, gate, phase)) for gate in self._relative for phase in self._phases(gate)
        ]
        failed = next(((gate, phase) for gate, phase, status in statuses if status == "fail"), None)
        if failed is not None:
            gate, phase = failed
            return "decided", message("duet-gate-failed", gate=gate.comparison.source, phase=phase.name)
        if len(self._relative) < len(self._plan.gates) or any(status != "pass" for *_, status in statuses):
            return None
        return "decided", message("duet-gates-held", count=len(statuses))

    def _is_last(self, journal: Journal) -> bool:
        """Whether the last measured phase is running; what ends later is not measured."""
        if not journal.phases or not self._measured:
            return False
        span = journal.phases[-1]
        return span.end_s is None and self._plan.phases[span.phase] is self._measured[-1]

    def _phases(self, gate: Gate) -> Sequence[Phase]:
        return [phase for phase in self._plan.phases if reads(gate, phase)]

    def _status(self, run: RunRecording, gate: Gate, phase: Phase) -> GateStatus:
        metric = gate.comparison.measures
        pair = paired(run, phase, gate.endpoint or ALL, metric, gate.comparison.during)
        if pair is None:
            return "inconclusive"
        rule = judge_beside(pair.a, pair.effect.widening(SURE))
        return rule(gate.comparison, pair.figure(metric), []).status
