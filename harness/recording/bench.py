"""The recording of a benchmark suite: the rounds, what pytest reported, the suite's earlier runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.metrics import BENCH_METRICS
from harness.metrics.metric import Metric
from harness.plan.bench import BenchPlan, name_of
from harness.record.run_folder import RunFolder, read_model
from harness.record.suite import (
    Benchmark,
    MemoryFigures,
    PastBench,
    SuiteEnd,
    SuiteReport,
    read_history,
    read_memory,
)
from harness.recording.recording import Recording
from harness.recording.streams import ROUNDS
from harness.recording.streams.rounds import read_report


@dataclass(frozen=True, eq=False)
class BenchRecording(Recording):
    """A run of a benchmark suite."""

    plan: BenchPlan

    @property
    def run_id(self) -> str:
        return self.folder.run_id

    @property
    def started_at(self) -> str:
        """One that was killed before it could note this started when its folder was made."""
        return self.end.started_at if self.end else f"{self.folder.started_at:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def metrics(self) -> Mapping[str, Metric[Any]]:
        return BENCH_METRICS

    @cached_property
    def benchmarks(self) -> list[Benchmark]:
        return self.read(ROUNDS)

    @cached_property
    def report(self) -> SuiteReport:
        return read_report(self.folder)

    @cached_property
    def end(self) -> SuiteEnd | None:
        """How pytest ended; None if the harness itself was killed."""
        return read_model(self.folder.suite_end, SuiteEnd) if self.folder.suite_end.exists() else None

    @cached_property
    def memory(self) -> dict[str, MemoryFigures]:
        return read_memory(self.folder.benchmark_memory)

    @cached_property
    def history(self) -> list[PastBench]:
        """The benches of the suite before this one that the store knew, the earliest first."""
        return read_history(self.folder.history)

    def ran(self, test: str) -> bool:
        """Whether pytest came to a test and through it, as far as its end shows."""
        in_order = not self.end or (self.end.exit_status in (0, 1) and not self.end.interrupted)
        return self.report.finished and in_order and test in self.report.waited_s

    def shown(self, endpoint: str) -> str:
        """A benchmark's name; its whole id if another test of the suite has the same name."""
        names = Counter(map(name_of, {*self.report.benchmarks, *self.report.deselected}))
        return name_of(endpoint) if names[name_of(endpoint)] < 2 else endpoint


def read_suite(folder: RunFolder) -> BenchRecording:
    """Open the folder of a bench. Raises :class:`HarnessError` if its plan is missing or damaged."""
    return BenchRecording(folder, read_model(folder.plan, BenchPlan))
