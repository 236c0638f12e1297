"""What ``harness baseline`` shows: the figures of a baseline's runs, and how a gate uses them; for programs as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.cli.std_streams import LOG_WIDTH
from harness.metrics import RUN_METRICS
from harness.record.baseline import Baseline, BaselineRun, Interval
from harness.report.formatting import in_unit, plain

if TYPE_CHECKING:
    from harness.store import BaselineEntry

_METRICS = {"p50": "ms", "p95": "ms", "p99": "ms", "error_rate": "%", "throughput": "/s"}
"""The metrics of the table, in its order, and their units."""

_EXAMPLE = "p95 <= baseline + 10%"
_BENCH_METRICS = ("min", "median", "mean", "p95")
_BENCH_EXAMPLE = 'bench("test_*").mean <= baseline + 10%'
_ALL_ENDPOINTS = ""


def draw(console: Console, baseline: Baseline) -> None:
    """One table a run: a row a phase, all its endpoints together; or a row a benchmark."""
    console.print(Text(name_of(baseline), style="bold"))
    for run in baseline.runs:
        console.print(Text(f"{run.run_id} ({run.summary.verdict})"))
        if run.summary.kind == "bench":
            console.print(_benchmarks(run))
            continue
        table = _table("phase", *_METRICS)
        for phase, endpoints in run.figures.items():
            figures = endpoints.get(_ALL_ENDPOINTS, {})
            table.add_row(Text(plain(phase)), *(_figure(figures.get(metric), metric) for metric in _METRICS))
        console.print(table)


def _benchmarks(run: BaselineRun) -> Table:
    table = _table("benchmark", *_BENCH_METRICS)
    names = {benchmark.test: benchmark.name for benchmark in run.summary.benchmarks}
    for test, figures in next(iter(run.figures.values()), {}).items():
        shown = (in_unit(found.value if (found := figures.get(metric)) else None, "s") for metric in _BENCH_METRICS)
        table.add_row(Text(plain(names.get(test, test))), *shown)
    return table


def _table(what: str, *metrics: str) -> Table:
    table = Table(what)
    for metric in metrics:
        table.add_column(metric, justify="right")
    return table


def explain(console: Console, baseline: Baseline, added: BaselineRun) -> None:
    """How a gate uses what was just set, with the figure that a person would else have to work out."""
    for phase in added.summary.phases:
        if phase.generator_limited:
            console.print(
                Text(f"In phase {plain(phase.name)} the load generator was the limit: gates will not use it.")
            )
    console.print("From the next run on, gates compare with it:")
    if added.summary.kind == "bench":
        console.print(Text(f"  {_BENCH_EXAMPLE}", style="bold"))
    else:
        console.print(Text(f'  require = "{_EXAMPLE}"', style="bold"))
    example = _example(baseline)
    if example is not None:
        phase_name, p95_ms = example
        limit = in_unit(p95_ms * 1.1, "ms")
        console.print(Text(f"  which is now: at most {limit} in phase {plain(phase_name)}."))
    if len(baseline.runs) == 1:
        console.print(
            "One run does not tell how much runs differ with no change at all. Make two more of the same, and add them:"
        )
        console.print(Text("  harness baseline set RUN --add", style="bold"))


def _example(baseline: Baseline) -> tuple[str, float] | None:
    """A phase to show the limit of (a steady one, where there is one), and its p95 as gates take it."""
    from harness.analysis.compare import against

    phases = sorted(baseline.runs[0].summary.phases, key=lambda phase: phase.kind != "steady")
    for phase in phases:
        of_runs = [run.figures.get(phase.name, {}).get(_ALL_ENDPOINTS, {}).get("p95") for run in baseline.runs]
        p95s = [p95 for p95 in of_runs if p95 is not None]
        if p95s and not phase.generator_limited:
            figure, _ = against(p95s[0], p95s, RUN_METRICS["p95"])
            return phase.name, figure
    return None


def _figure(interval: Interval | None, metric: str) -> str:
    return in_unit(interval.value if interval else None, _METRICS[metric])


def name_of(of: Baseline | BaselineEntry) -> str:
    """What it is the baseline of."""
    return f"{of.scenario} · {of.profile} · environment {of.fingerprint}"


def described(baseline: Baseline) -> dict[str, Any]:
    """A baseline with the figures of its runs, as JSON."""
    runs = [
        {
            "run_id": run.run_id,
            "started_at": run.started_at,
            "verdict": run.summary.verdict,
            "figures": run.model_dump(include={"figures"})["figures"],
        }
        for run in baseline.runs
    ]
    return {**baseline.model_dump(include={"scenario", "profile", "fingerprint"}), "runs": runs}


def described_entry(entry: BaselineEntry) -> dict[str, Any]:
    """A baseline without its figures, as JSON."""
    return {
        "scenario": entry.scenario,
        "profile": entry.profile,
        "fingerprint": entry.fingerprint,
        "run_ids": entry.run_ids,
        "started_at": entry.started_at.isoformat(),
        "set_at": entry.set_at.isoformat(),
    }


def console_of_people() -> Console:
    """Standard error, as wide as the terminal or, without one, as a log may be."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console
