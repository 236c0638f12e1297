"""A recorded run of a benchmark suite, read once: the plan, the rounds, what pytest told, the baseline."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.plan.bench import BenchPlan, name_of
from harness.record.baseline import Baseline, Interval
from harness.record.environment import Environment
from harness.record.profiles import ProfileIndex
from harness.record.run_folder import RunFolder, read_model
from harness.record.suite import (
    Benchmark,
    MemoryFigures,
    PastBench,
    SuiteEnd,
    SuiteReport,
    read_benchmarks,
    read_history,
    read_memory,
)

PHASE = "benchmarks"
"""What stands for a phase in what is kept of a baseline: ``figures[PHASE][test][metric]``."""


@dataclass(frozen=True, slots=True, eq=False)
class BenchRecording:
    """All that judging reads. ``end`` is None where the harness itself was killed."""

    folder: RunFolder
    plan: BenchPlan
    report: SuiteReport
    end: SuiteEnd | None
    benchmarks: list[Benchmark]
    memory: dict[str, MemoryFigures]
    profiles: ProfileIndex
    environment: Environment | None
    baseline: Baseline | None
    history: list[PastBench]
    """The benches of the suite before this one that the store knew, the earliest first."""
    no_baseline: str | None = None
    """Why there is none, where whoever has looked for one knows."""

    def ran(self, test: str) -> bool:
        """Whether pytest came to a test and through it, as far as its end tells."""
        in_order = not self.end or (self.end.exit_status in (0, 1) and not self.end.interrupted)
        return self.report.finished and in_order and test in self.report.waited_s

    def shown(self, test: str) -> str:
        """A benchmark's name; its whole id where another test of the suite has the same name."""
        names = Counter(map(name_of, {*self.report.benchmarks, *self.report.deselected}))
        return name_of(test) if names[name_of(test)] < 2 else test


def read_suite(folder: RunFolder) -> BenchRecording:
    """Read the folder of a bench. Raises :class:`HarnessError` where it is of a load, or a file of it is damaged."""
    if not folder.is_bench:
        raise HarnessError(
            "this is the folder of a run under load, not of `harness bench`",
            where=str(folder.path),
        )
    report = read_model(folder.suite, SuiteReport) if folder.suite.exists() else SuiteReport()
    return BenchRecording(
        folder=folder,
        plan=read_model(folder.plan, BenchPlan),
        report=report,
        end=read_model(folder.suite_end, SuiteEnd) if folder.suite_end.exists() else None,
        benchmarks=read_benchmarks(folder.benchmarks, folder.rounds, report),
        memory=read_memory(folder.benchmark_memory),
        profiles=ProfileIndex.load(folder.profiles),
        environment=read_model(folder.environment, Environment) if folder.environment.exists() else None,
        baseline=read_model(folder.comparison, Baseline) if folder.comparison.exists() else None,
        history=read_history(folder.history),
    )


def references(baseline: Baseline | None, test: str, metric: str) -> list[Interval]:
    """What the runs of the baseline that measured it know of a benchmark's figure, latest first."""
    runs = baseline.runs if baseline else []
    found = (run.figures.get(PHASE, {}).get(test, {}).get(metric) for run in runs)
    return [interval for interval in found if interval is not None]
