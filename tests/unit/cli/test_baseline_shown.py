"""What ``harness baseline set`` says of the run that gates will compare with."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.analysis.measurement import measure
from harness.cli.baseline_shown import explain
from harness.record.measurement import Baseline
from harness.recording import open_recording
from tests.unit.gates.test_judge import contaminated_run


@pytest.mark.parametrize(("seconds", "limits"), [(0, 1), (30, 0)])
def test_no_limit_is_promised_from_a_phase_that_gates_will_not_use(tmp_path: Path, seconds: int, limits: int) -> None:
    """Of a run in which others took the cores for so many seconds of 30."""
    run = measure(open_recording(contaminated_run(tmp_path, seconds)))
    shown = io.StringIO()
    explain(Console(file=shown), Baseline(scenario="s", profile="p", fingerprint="f", runs=[run]), run)
    assert shown.getvalue().count("which now means") == limits
    assert shown.getvalue().count("took the cores") == 1 - limits
