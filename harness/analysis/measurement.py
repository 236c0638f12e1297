"""What is kept of a run that becomes a baseline: every figure with its interval, and the CPU profile by function."""

from __future__ import annotations

from harness.analysis import rounds
from harness.analysis.functions import phase_profile
from harness.analysis.intervals import interval_of
from harness.analysis.samples import samples_of
from harness.errors import HarnessError
from harness.metrics import BENCH_METRICS, RUN_METRICS
from harness.record.baseline import BaselineRun, Figures, Interval, PhaseProfile
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.recording.bench import BenchRecording
from harness.recording.run import read_run


def measure_for_baseline(folder: RunFolder) -> BaselineRun:
    """Measure every measured phase of a judged run. Whether it is fit to be a baseline is for the caller to say.

    Raises :class:`HarnessError` where the folder holds no run, a damaged one, or one that has not been judged.
    """
    if not folder.summary.exists():
        raise HarnessError(
            "the run has not been judged: it holds no summary.json",
            where=str(folder.path),
            hint=f"`harness gate {folder.run_id}` judges it.",
        )
    run = read_run(folder)
    summary = read_model(folder.summary, Summary)
    figures: dict[str, dict[str, dict[str, Interval]]] = {}
    profiles: dict[str, PhaseProfile] = {}
    for record in run.phases:
        if not record.plan.measured:
            continue
        figures[record.plan.name] = {
            endpoint: {
                name: found
                for name, metric in RUN_METRICS.items()
                if (found := interval_of(sample, metric)) is not None
            }
            for endpoint, sample in samples_of(record, run.journal).items()
        }
        profile = phase_profile(run, record)
        if profile is not None:
            profiles[record.plan.name] = profile
    return BaselineRun(
        run_id=summary.run_id,
        started_at=summary.started_at,
        summary=summary,
        figures=figures,
        profiles=profiles,
    )


def bench_figures(recording: BenchRecording) -> dict[str, Figures]:
    """Every metric of every benchmark that has rounds, by its id, with its interval."""
    return {
        benchmark.test: {
            name: found
            for name, metric in BENCH_METRICS.items()
            if (found := rounds.interval_of(benchmark, metric, recording.memory.get(benchmark.test))) is not None
        }
        for benchmark in recording.benchmarks
    }
