"""Judges run folders."""

from __future__ import annotations

from collections.abc import Sequence

from harness.gates.judge import judge as judge_recording
from harness.plan.model import Gate
from harness.record.run_folder import RunFolder
from harness.record.summary import Summary
from harness.recording.run import read_run


def judge(folder: RunFolder, *, gates: Sequence[Gate] | None = None) -> Summary:
    """The result of the run in ``folder`` under its own gates, or under ``gates``."""
    return judge_recording(read_run(folder), gates=gates)
