"""Judges run folders, with or without a baseline."""

from __future__ import annotations

from harness.analysis.measurement import measure
from harness.explain import explained
from harness.gates.judge import Gates
from harness.gates.judge import judge as judge_recording
from harness.record.environment import Environment
from harness.record.measurement import Baseline, Measurement
from harness.record.run_folder import RunFolder, read_model, write_json
from harness.record.summary import Summary
from harness.recording import open_recording


def judge(folder: RunFolder, *, gates: Gates | None = None) -> Summary:
    """The result of the run or bench in ``folder`` under its own gates, or under ``gates``."""
    recording = open_recording(folder)
    return explained(recording, judge_recording(recording, gates=gates))


def baseline_of(
    *runs: RunFolder | Measurement, into: RunFolder, fingerprint: str | None = None, window: int | None = None
) -> None:
    """Keep ``runs`` as what ``into`` is compared with."""
    measured = [run if isinstance(run, Measurement) else measure(open_recording(run)) for run in runs]
    found = fingerprint or read_model(into.environment, Environment).fingerprint
    kept = Baseline(scenario="flash_sale", profile="default", fingerprint=found, runs=measured, window=window)
    write_json(into.comparison, kept.model_dump(by_alias=True))
