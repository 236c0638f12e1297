"""Judges run folders."""

from __future__ import annotations

from harness.explain import explained
from harness.gates.judge import Gates
from harness.gates.judge import judge as judge_recording
from harness.record.run_folder import RunFolder
from harness.record.summary import Summary
from harness.recording import open_recording


def judge(folder: RunFolder, *, gates: Gates | None = None) -> Summary:
    """The result of the run or bench in ``folder`` under its own gates, or under ``gates``."""
    recording = open_recording(folder)
    return explained(recording, judge_recording(recording, gates=gates))
