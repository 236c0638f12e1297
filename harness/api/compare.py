"""``harness.compare(…)``: what ``harness compare`` does, as a call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import control
from harness.analysis.comparison import compared
from harness.api.options import several
from harness.api.python_call import python_call
from harness.api.result import Run
from harness.plan.margins import parse_margins
from harness.record.comparison import Comparison

RunName = str | Path | Run
"""A run folder, a run ID, ``"latest"`` or ``"baseline"``; or a run itself."""


@python_call
def compare(
    a: RunName | Sequence[RunName],
    b: RunName | Sequence[RunName],
    *,
    margin: str | Sequence[str] = (),
    out: str | Path = "reports",
) -> Comparison:
    """Compare build B with build A, each measured by one or more runs or benches.

    A run is named by its folder, by its run ID below ``out``, or as ``"latest"``; ``"baseline"`` stands for the
    baseline of the other side. Runs whose folders are gone are read from the store.

    ``margin`` states how much worse a figure may get before it matters: ``"5%"`` (the default), ``"p99=10%"`` for one
    metric, or several of these. Of a share such as the error rate it is in percentage points, 0.5 by default.

    Raises :class:`HarnessError` if a run is unknown or the runs have nothing to compare.
    """
    return compare_builds(_names(a), _names(b), several(margin), Path(out))


def compare_builds(a: Sequence[str], b: Sequence[str], margins: Sequence[str], out: Path) -> Comparison:
    """Do what :func:`compare` does, with all arguments as text. Raises what :func:`compare` raises."""
    of_a, of_b = control.measured_runs.find_measured(a, b, out)
    calibration = control.measured_runs.calibration_of([*of_a, *of_b], out)
    return compared(of_a, of_b, parse_margins(margins), calibration)


def _names(given: RunName | Sequence[RunName]) -> list[str]:
    several_runs = [given] if isinstance(given, str | Path | Run) else given
    return [str(run.path if isinstance(run, Run) else run) for run in several_runs]
