"""How often a database had run each statement, and for how long, as a phase began and as it ended.

Frames of kind ``statements``: ``epoch_s``, ``source`` (NAME of ``[metrics.NAME]``), ``phase`` (its index in the plan),
``ended`` and ``statements``: by text, calls, milliseconds and rows since the database began to count.
"""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from harness.record.frames import STRICT, Epoch, FrameLog
from harness.record.metric_readings import Total

Totals = list[Total]
"""Calls, milliseconds, rows."""


@dataclass(frozen=True, slots=True, config=STRICT)
class StatementTotals:
    """All statements of one source at one end of a phase."""

    epoch_s: Epoch
    source: str
    phase: int
    ended: bool
    statements: dict[str, Totals]


STATEMENT_TOTALS = FrameLog("statements", StatementTotals)
