"""What databases counted of each statement, before and after each phase (``pg_stat_statements``)."""

from __future__ import annotations

from harness.record.database_statements import STATEMENT_TOTALS, StatementTotals
from harness.recording.stream import Stream

STATEMENTS: Stream[list[StatementTotals]] = Stream(
    name="statements",
    files=("statements",),
    read=lambda folder: STATEMENT_TOTALS.read(folder.statements),
)
