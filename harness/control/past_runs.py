"""Writes the figures of earlier runs, which gates on steps read, into a run folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from harness.analysis.history import series_of
from harness.analysis.measurement import measure
from harness.analysis.nights import explaining
from harness.plan.bench import BenchGate
from harness.plan.model.run import Gate
from harness.record.environment import Environment
from harness.record.history import HistoryRun, StepHistory
from harness.record.measurement import ALL
from harness.record.run_folder import write_json
from harness.recording import BenchRecording, RunRecording
from harness.store import Store
from harness.store.windows import Key

Figure = tuple[str, str]
"""An endpoint and a metric."""


def stepped_figures(gates: Sequence[Gate | BenchGate]) -> set[Figure]:
    """What those of ``gates`` that are about steps read."""
    runs = (gate for gate in gates if isinstance(gate, Gate))
    return {(gate.endpoint or ALL, gate.comparison.metric) for gate in runs if gate.comparison.step is not None}


def write_past_runs(
    recording: RunRecording | BenchRecording, wanted: Collection[Figure], environment: Environment, store: Store
) -> None:
    """Write ``past-runs.json`` with the ``wanted`` figures, this run the last in it; none wanted: nothing.

    Raises :class:`HarnessError` if the store cannot be read.
    """
    if not wanted:
        return
    key, commit = Key(*recording.plan.key, environment.fingerprint), environment.commit
    this = HistoryRun(run_id=recording.run_id, started_at=recording.started_at, verdict="", commit=commit)
    earlier = store.past_runs(key, before=datetime.fromisoformat(recording.started_at))
    runs = [*earlier, (this, measure(recording))]
    accepted = store.accepted(key)
    series = [
        one
        for one in series_of(runs, metrics=[metric for _, metric in wanted], accepted=accepted, clean=True)
        if (one.endpoint, one.metric) in wanted
    ]
    needed = {run for one in series for run in explaining(one)}
    needed -= {run.run_id for run in recording.baseline.runs} if recording.baseline else set()
    history = StepHistory(
        **key._asdict(),
        runs=[run for run, _ in runs],
        series=series,
        accepted=accepted,
        measured=[measured for run, measured in earlier if run.run_id in needed],
    )
    write_json(recording.folder.past_runs, history.model_dump(mode="json"))
