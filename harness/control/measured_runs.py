"""Finds runs with their measurements: in their folders, or in the store where the folder is gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis.measurement import measure
from harness.control.run_lookup import existing_store, find_or_fetch, has_store
from harness.errors import HarnessError
from harness.record.calibration import Calibration
from harness.record.comparison import MeasuredRun
from harness.record.environment import Environment
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.recording import open_recording

BASELINE = "baseline"
"""The name of the other build's baseline in the store."""


def find_measured(a: Sequence[str], b: Sequence[str], out: Path) -> tuple[list[MeasuredRun], list[MeasuredRun]]:
    """The runs that each side names: a folder, a run-id, ``latest``, several of these, or ``baseline``.

    Raises :class:`HarnessError` if there is no such run, or its figures are nowhere.
    """
    if not a or not b:
        raise HarnessError("compare-no-run", side="B" if a else "A")
    if BASELINE not in (*a, *b):
        return [_measured(name, out) for name in a], [_measured(name, out) for name in b]
    if len(a) == 1 and a[0] == BASELINE and BASELINE not in b:
        of_b = [_measured(name, out) for name in b]
        return _baseline_of(of_b, out), of_b
    if BASELINE in a:
        raise HarnessError("compare-baseline-not-alone")
    of_a = [_measured(name, out) for name in a]
    return of_a, _baseline_of(of_a, out)


def calibration_of(runs: Sequence[MeasuredRun], out: Path) -> Calibration | None:
    """The calibration of the machine that made all ``runs``; None if there is none, or several made them."""
    keys = {(run.measurement.scenario, run.measurement.profile, run.fingerprint or "") for run in runs}
    if len(keys) > 1 or not has_store(out):
        return None
    try:
        with existing_store(out) as store:
            return store.calibration_for(*keys.pop())
    except HarnessError:
        return None  # the comparison does not need it


def _baseline_of(runs: Sequence[MeasuredRun], out: Path) -> list[MeasuredRun]:
    """The runs of the baseline that belongs to ``runs``, without these."""
    first = runs[0]
    with existing_store(out) as store:
        key = (first.measurement.scenario, first.measurement.profile, first.fingerprint or "")
        baseline = store.baseline_for(*key)
        found = [run for run in baseline.runs if run.run_id not in {run.id for run in runs}] if baseline else []
        if baseline is not None and not found:
            raise HarnessError("compare-baseline-of-itself", where=store.shown, wanted=" · ".join(key))
        if not found:
            known = [f"{each.scenario} · {each.profile} · {each.fingerprint}" for each in store.list_baselines()]
            raise HarnessError(
                "baseline-not-found" if known else "baseline-none-yet",
                where=store.shown,
                wanted=" · ".join(key),
                known=known,
            )
        verdicts = store.verdicts(run.run_id for run in found)
    return [MeasuredRun(run, verdicts.get(run.run_id), first.fingerprint) for run in found]


def _measured(name: str, out: Path) -> MeasuredRun:
    try:
        return _in_folder(find_or_fetch(name, out))
    except HarnessError:
        stored = None if name == "latest" or Path(name).exists() or (out / name).exists() else _stored(name, out)
        if stored is None:
            raise
        return stored


def _in_folder(folder: RunFolder) -> MeasuredRun:
    return MeasuredRun(
        measure(open_recording(folder)),
        read_model(folder.summary, Summary).verdict if folder.summary.exists() else None,
        read_model(folder.environment, Environment).fingerprint if folder.environment.exists() else None,
    )


def _stored(run_id: str, out: Path) -> MeasuredRun | None:
    try:
        with existing_store(out) as store:
            return store.measured_run(run_id)
    except HarnessError as error:
        if error.code in ("store-file-damaged", "store-row-damaged"):
            raise
        return None
