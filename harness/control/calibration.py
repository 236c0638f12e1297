"""Calibrates from finished runs of one build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis.measurement import measure
from harness.analysis.noise_floor import noise_floors
from harness.record.calibration import Calibration
from harness.record.environment import Environment
from harness.record.run_folder import RunFolder, read_model
from harness.recording import open_recording
from harness.store import open_store


def calibrate(folders: Sequence[RunFolder], out: Path) -> Calibration:
    """The noise floors of these runs, put into the store of ``out``."""
    runs = [measure(open_recording(folder)) for folder in folders]
    calibration = Calibration(
        scenario=runs[0].scenario,
        profile=runs[0].profile,
        fingerprint=read_model(folders[0].environment, Environment).fingerprint,
        run_ids=[run.run_id for run in runs],
        floors=noise_floors(runs),
    )
    with open_store(None, out) as store:
        store.set_calibration(calibration)
    return calibration
