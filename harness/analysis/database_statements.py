"""Which statements took a database's time in a phase: the difference between two readings."""

from __future__ import annotations

from dataclasses import dataclass

from harness.record.database_statements import StatementTotals
from harness.recording.run import PhaseRecord, RunRecording
from harness.recording.streams import STATEMENTS


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement in one phase, as its database has it: with ``$1`` in place of values."""

    text: str
    calls: float
    total_ms: float
    rows: float

    @property
    def mean_ms(self) -> float:
        return self.total_ms / self.calls


def statements_in(record: PhaseRecord, run: RunRecording) -> dict[str, list[Statement]]:
    """The statements that ran in a phase by source, those that took most time first."""
    totals: list[StatementTotals] = run.read(STATEMENTS)
    ends: dict[str, dict[bool, StatementTotals]] = {}
    for one in totals:
        if one.phase == record.index:
            ends.setdefault(one.source, {})[one.ended] = one
    return {
        source: _between(both[False], both[True]) for source, both in ends.items() if False in both and True in both
    }


def _between(before: StatementTotals, after: StatementTotals) -> list[Statement]:
    found = []
    for text, (calls, total_ms, rows) in after.statements.items():
        earlier = before.statements.get(text, [0.0, 0.0, 0.0])
        if calls < earlier[0]:  # the statistics were reset in the phase
            earlier = [0.0, 0.0, 0.0]
        if calls > earlier[0]:
            found.append(Statement(text, calls - earlier[0], total_ms - earlier[1], rows - earlier[2]))
    return sorted(found, key=lambda statement: -statement.total_ms)
