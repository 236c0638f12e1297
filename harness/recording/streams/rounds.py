"""The rounds of a benchmark suite, in ``rounds.parquet``, and pytest-benchmark's own file beside them."""

from __future__ import annotations

from harness.record.run_folder import RunFolder, read_model
from harness.record.suite import Benchmark, SuiteReport, read_benchmarks
from harness.recording.stream import Stream


def _read(folder: RunFolder) -> list[Benchmark]:
    return read_benchmarks(folder.benchmarks, folder.rounds, read_report(folder))


def read_report(folder: RunFolder) -> SuiteReport:
    """What pytest reported of the suite; nothing where it died before it could."""
    return read_model(folder.suite, SuiteReport) if folder.suite.exists() else SuiteReport()


ROUNDS = Stream(
    name="rounds",
    files=("benchmark.json",),
    read=_read,
    artifacts={"benchmarks": "benchmark.json", "rounds": "rounds.parquet"},
)
