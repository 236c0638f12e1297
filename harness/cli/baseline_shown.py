"""What ``harness baseline`` shows: figures of a baseline's runs, and how gates use them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.metrics import RUN_METRICS
from harness.plan.bench import name_of as test_name
from harness.plan.phases import holds_one_level
from harness.record.measurement import ALL, BENCHMARKS, Baseline, Interval, Measurement
from harness.record.plain_text import plain
from harness.record.run_folder import out_option
from harness.record.summary import Summary
from harness.report.formatting import counted, in_unit

if TYPE_CHECKING:
    from harness.store import BaselineEntry

_METRICS = ("p50", "p95", "p99", "error_rate", "throughput", "cpu_per_request")
"""The metrics of the table, in its order."""

_EXAMPLE = "p95 <= baseline + 10%"
_BENCH_METRICS = ("min", "median", "mean", "p95")
_BENCH_EXAMPLE = 'bench("test_*").mean <= baseline + 10%'


def draw(console: Console, baseline: Baseline, verdicts: Mapping[str, str]) -> None:
    """A table per run, with a row per phase (all endpoints together) or per benchmark. ``verdicts`` are by run ID."""
    console.print(Text(name_of(baseline), style="bold"))
    if baseline.window is not None:
        console.print(Text(f"A window of {baseline.window} runs."))
    if baseline.accepted is not None:
        console.print(Text(f"Accepted {baseline.accepted.run_id}: {plain(baseline.accepted.why)}"))
    for run in baseline.runs:
        console.print(Text(f"{run.run_id} ({verdicts.get(run.run_id, 'unknown')})"))
        console.print(_benchmarks(run) if _is_bench(run) else _phases(run))


def slides(baseline: Baseline | None, window: int, like: Summary, shown: str, reports: Path) -> str:
    """What ``--window`` has set in the store of ``reports``, or why pinned runs still count."""
    of = f"{like.scenario} · {like.profile}"
    if baseline is not None and baseline.window is None:
        return (
            f"{of} is compared with {counted(len(baseline.runs), 'pinned run')}, in {shown}. To compare with the last "
            f"{window} runs, unpin them: harness baseline rm {like.scenario} --profile {like.profile} "
            f"--fingerprint {baseline.fingerprint}{out_option(reports)}"
        )
    runs = len(baseline.runs) if baseline else 0
    return f"{of} is compared with its last {window} runs that did not fail ({runs} now), in {shown}."


def _is_bench(run: Measurement) -> bool:
    return run.phase(BENCHMARKS) is not None


def _phases(run: Measurement) -> Table:
    table = _table("phase", *_METRICS)
    for phase in run.phases:
        figures = (run.figure(phase.name, ALL, metric) for metric in _METRICS)
        table.add_row(Text(plain(phase.name)), *map(_figure, figures, _METRICS))
    return table


def _benchmarks(run: Measurement) -> Table:
    table = _table("benchmark", *_BENCH_METRICS)
    for phase in run.phases:
        names = [test_name(test) for test in phase.endpoints]
        for test, measured in phase.endpoints.items():
            figures = (measured.figures.get(metric) for metric in _BENCH_METRICS)
            shown = (in_unit(figure.value if figure else None, "s") for figure in figures)
            name = test_name(test) if names.count(test_name(test)) == 1 else test
            table.add_row(Text(plain(name)), *shown)
    return table


def _table(what: str, *metrics: str) -> Table:
    table = Table(what)
    for metric in metrics:
        table.add_column(metric, justify="right")
    return table


def explain(console: Console, baseline: Baseline, added: Measurement) -> None:
    """How gates use what was just set, with the limit worked out."""
    for phase in added.phases:
        if phase.generator_limited:
            console.print(
                Text(f"The load generator was the bottleneck in phase {plain(phase.name)}: gates will not use it.")
            )
        elif phase.too_contaminated:
            why = f"Other processes took the cores for most of phase {plain(phase.name)}"
            console.print(Text(f"{why}: gates on response times and throughput will not use it."))
    console.print("From the next run on, gates can compare with it:")
    if _is_bench(added):
        console.print(Text(f"  {_BENCH_EXAMPLE}", style="bold"))
    else:
        console.print(Text(f'  require = "{_EXAMPLE}"', style="bold"))
    example = _example(baseline)
    if example is not None:
        phase_name, p95_ms = example
        limit = in_unit(p95_ms * 1.1, "ms")
        console.print(Text(f"  which now means: at most {limit} in phase {plain(phase_name)}."))
    if len(baseline.runs) == 1:
        console.print("One run does not show how much runs of the same build vary. Make two more runs and add them:")
        console.print(Text("  harness baseline set RUN --add", style="bold"))


def _example(baseline: Baseline) -> tuple[str, float] | None:
    """A phase to show the limit of (a steady one if possible), and the P95 that gates compare with."""
    from harness.analysis.baseline_difference import against

    latest = baseline.runs[0]
    if _is_bench(latest):
        return None
    phases = sorted(latest.phases, key=lambda phase: not holds_one_level(phase.kind))
    for phase in phases:
        p95s = baseline.figures(phase.name, ALL, "p95")
        if p95s and not (phase.generator_limited or phase.too_contaminated):
            figure, _ = against(p95s[0], p95s, RUN_METRICS["p95"])
            return phase.name, figure
    return None


def _figure(interval: Interval | None, metric: str) -> str:
    return in_unit(interval.value if interval else None, RUN_METRICS[metric].unit.name)


def name_of(of: Baseline | BaselineEntry) -> str:
    """What the baseline belongs to."""
    return f"{of.scenario} · {of.profile} · environment {of.fingerprint}"


def described(baseline: Baseline, verdicts: Mapping[str, str]) -> dict[str, Any]:
    """A baseline with the figures of its runs, as JSON."""
    runs = [
        {
            "run_id": run.run_id,
            "started_at": run.started_at,
            "verdict": verdicts.get(run.run_id),
            "figures": {
                phase.name: {
                    endpoint: {metric: figure.model_dump() for metric, figure in measured.figures.items()}
                    for endpoint, measured in phase.endpoints.items()
                }
                for phase in run.phases
            },
        }
        for run in baseline.runs
    ]
    about = baseline.model_dump(include={"scenario", "profile", "fingerprint", "window", "accepted"})
    return {**about, "runs": runs}
