"""What differs from the baseline, or from build A of a duet: figures, and functions of the target."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel

from harness.record.measurement import Baseline

Meaning = Literal["better", "worse", "no clear change"]


class BaselineRef(BaseModel):
    """What the run was compared with, the latest run first."""

    run_ids: list[str]
    fingerprint: str

    @classmethod
    def of(cls, baseline: Baseline | None) -> Self | None:
        """A reference to ``baseline``; None if there is none."""
        if baseline is None:
            return None
        return cls(run_ids=[run.run_id for run in baseline.runs], fingerprint=baseline.fingerprint)


class Difference(BaseModel):
    """One figure beside the baseline's.

    ``baseline`` and ``observed`` are in ``unit``. ``change`` is relative (0.05: 5 % more), or for a share (``%``) the
    difference of the shares. It is null if the baseline is 0.
    """

    phase: str
    endpoint: str | None = None
    """Null: all endpoints together. A benchmark's name, in the phase ``benchmarks``."""
    metric: str
    unit: str
    baseline: float
    observed: float
    change: float | None
    interval: tuple[float, float | None] | None
    """Of the change, 95 %, with the noise of both sides. The upper end is null if the data cannot bound it."""
    machine_slower: float | None = None
    """How much longer reference work took on the machine (0.07: 7 %) than it did beside the baseline, whose figure is
    the one at the speed of ``observed``. Null: compared as measured."""


class Change(Difference):
    """What a difference from the baseline means."""

    meaning: Meaning


class Suspect(BaseModel):
    """A function that costs the target more CPU per request than in the baseline.

    The figures are with what it calls, or of its own lines alone if those show the growth better.

    Shares are those of the target's CPU samples (0…1), ``change`` is their difference.
    """

    function: str
    file: str
    line: int
    share_baseline: float
    share_run: float
    change: float
    interval: tuple[float, float] | None = None
    """The 95 % interval of ``change``, in runs of earlier versions."""
    cpu_ms_baseline: float = 0.0
    """CPU time in the function per request (of any endpoint), in ms; the baseline's at this run's speed."""
    cpu_ms_run: float = 0.0
    cpu_ms_growth: tuple[float, float] | None = None
    """The 95 % interval of their difference."""
    inside: str | None = None
    """The function of a library in which the growth is, if this one calls it for nearly all of it."""
    callers: list[str] = []
    """The functions that grew only because they call this one: the closest three, Python's own last."""


class Duet(BaseModel):
    """Two builds that ran in turns; :attr:`Summary.changes` compares them."""

    a: str
    """What build A is, for people."""
    b: str
    starts: int
    """How many times each was started."""
    blocks: int
    """How many blocks of turns the measured phases had."""
    side_by_side: bool = False
    """Whether both builds served the same arrivals in the same moment, where a phase is of the open model."""
    self_changes: list[Change]
    """Build A compared with itself: what noise alone looks like in this run."""
