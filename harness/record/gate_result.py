"""One gate in ``summary.json``: what it required, what was observed, and whether it held."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel

from harness.messages import Message
from harness.record.notice import Notice

GateStatus = Literal["pass", "fail", "inconclusive"]


class Settle(BaseModel):
    """What would settle an inconclusive gate if its figures stayed as they are; null: that would not."""

    seconds: int | None = None
    """How long the phase would have to be."""
    fault_seconds: int | None = None
    """How long the fault would have to last, of a gate on the seconds under it."""
    baseline_runs: int | None = None
    """How many runs the baseline would have to have."""
    metric: str | None = None
    """A metric that shows smaller changes of the same target."""
    detectable: float | None = None
    """The figure from which on this run would have failed the gate, in the gate's ``unit``."""


class GateResult(BaseModel):
    """What one gate required, what was observed, and whether it held.

    ``observed``, ``limit`` and ``interval`` (95 %) are in ``unit`` (``ms``, ``%``, ``/s``; of benchmarks ``s``, ``/s``,
    ``B`` or none). A gate on an invariant (the scenario's ``verify``, a benchmark's own assertions) has none of them.
    """

    require: str
    phase: str | None = None
    """The phase that the gate read; a gate over several phases has one result for each."""
    endpoint: str | None = None
    """Or the benchmark, if the gate names several."""
    fault: str | None = None
    """The fault that the gate names: it judges the seconds under it, or the recovery from it."""
    status: GateStatus
    observed: float | None = None
    unit: str = ""
    limit: float | None = None
    interval: tuple[float, float | None] | None = None
    """The upper end is null if the requests are too few to bound a percentile from above."""
    baseline: float | None = None
    machine_slower: float | None = None
    """If limit and baseline are those at this run's machine speed, by how much the machine was slower (0.07: 7 %)."""
    runs: int = 1
    """How many runs ``observed`` is the mean of: this one alone, or with undecided ones before it."""
    seconds_left_out: int = 0
    """In so many seconds of the phase, other processes took the cores; ``observed`` is that of the others."""
    settle: Settle | None = None
    """Null unless the gate is inconclusive because its figure is too close to the limit."""
    reason: str = ""
    """One sentence a person can act on."""
    code: str = ""
    """What the reason says, for programs: ``gate-over-limit``; ``params`` are the figures and names in it."""
    params: dict[str, Any] = {}

    def because(self, reason: Message) -> Self:
        """This result with its reason."""
        notice = Notice.of(reason)
        return self.model_copy(update={"reason": notice.text, "code": notice.code, "params": notice.params})

    @property
    def asked(self) -> str:
        """What is required, and of what: ``p95 < 500ms on POST /checkout``."""
        return self.require if self.endpoint is None else f"{self.require} on {self.endpoint}"
