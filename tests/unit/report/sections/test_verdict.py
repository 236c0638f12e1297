"""Which phase a report shows first."""

from __future__ import annotations

import pytest

from harness.record.phase_summary import PhaseSummary
from harness.report.sections.verdict import main_phase
from tests.support.summaries import a_summary


def phase(name: str, kind: str, *, measured: bool = True) -> PhaseSummary:
    return PhaseSummary(index=0, name=name, kind=kind, model="closed", measured=measured, start_s=0, end_s=1)


@pytest.mark.parametrize(
    ("phases", "main"),
    [
        ([], None),
        ([phase("d", "diagnose", measured=False)], "d"),
        ([phase("p", "pause", measured=False), phase("r", "ramp")], "r"),
        ([phase("r", "ramp"), phase("s", "steady")], "s"),
    ],
)
def test_the_steady_phase_is_shown_first(phases: list[PhaseSummary], main: str | None) -> None:
    found = main_phase(a_summary(phases=phases))
    assert (found and found.name) == main
