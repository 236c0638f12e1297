"""What ``summary.json`` says of faults: what each did, and which seconds of a phase they disturbed."""

from __future__ import annotations

from pydantic import BaseModel

from harness.record.measurement import Interval
from harness.record.notice import Notice


class FaultedSeconds(BaseModel):
    """Seconds of a phase that faults disturbed. Gates that name none leave them out."""

    seconds: list[int] = []
    """Of the run: the second 12 begins 12 s after its start."""
    share: float = 0.0
    """Of the phase's seconds (0…1)."""
    leaves_enough: bool = True
    """Whether the others stand for the phase; otherwise its gates are inconclusive."""
    calm: dict[str, Interval] = {}
    """The phase's figures without these seconds, all endpoints together; by metric, as ``intervals``."""


class FaultReport(BaseModel):
    """A fault that began, and what it did to the requests of its phase, all endpoints together.

    ``requests`` to ``p95_ms`` are those of the seconds under it, until those that it held up had ended.
    """

    name: str
    kind: str
    phase: str
    start_s: float
    end_s: float | None
    """Null: it was never undone."""
    problem: Notice | None = None
    """What went wrong with it."""
    requests: int = 0
    failures: int = 0
    error_rate: float | None = None
    p95_ms: float | None = None
    recovered: bool | None = None
    """Whether the target met ``recovery_condition`` again while it was watched; null if there is none to meet."""
    recovery_s: float | None = None
    """From the end of the fault until then; if it did not recover, for how long it was seen not to."""
    recovery_interval_s: tuple[float, float | None] | None = None
    """95 %; the upper end is null where the requests are too few to be certain."""
    left_out_s: float | None = None
    """For how long of the recovery gates that name no fault leave seconds out, at most."""
    recovery_condition: str | None = None
    """``error_rate <= 2% and p95 <= 45ms``: as it was before the fault."""

    @property
    def recovers_late(self) -> bool:
        """Whether seconds count in which the target had not recovered."""
        return self.recovery_s is not None and self.left_out_s is not None and self.recovery_s > self.left_out_s
