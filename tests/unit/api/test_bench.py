"""A bench, as Python reads it: verdict, gates, a table of benchmarks; what only a run under load has is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import HarnessError, Run
from tests.support.benches import bench_folder

TEST = "micro/test_x.py::test_a"


@pytest.fixture
def bench(tmp_path: Path) -> Run:
    folder = bench_folder(tmp_path, {TEST: [1e-3, 1.1e-3, 0.9e-3]}, gates=['bench("test_a").max < 1us'])
    return Run.load(folder.path)


def test_it_has_a_verdict_and_a_table(bench: Run) -> None:
    assert not bench.verdict.passed
    assert [gate.status for gate in bench.gates] == ["fail"]
    assert bench.benchmarks["test"].tolist() == [TEST]
    assert bench.benchmarks["rounds"].tolist() == [3]
    assert bench.benchmarks["median_s"].tolist() == [1e-3]
    assert bench.phases == ()


def test_it_is_judged_by_gates_of_benchmarks(bench: Run) -> None:
    assert bench.judge('bench("test_a").max < 1s').verdict.passed
    with pytest.raises(HarnessError, match="does not say which benchmark"):
        bench.judge("p95 < 5ms")
    with pytest.raises(HarnessError, match="phase=: a bench has no phases"):
        bench.judge('bench("test_a").max < 1s', phase="steady")


def test_what_only_a_load_has_is_refused(bench: Run) -> None:
    for name in ("plan", "timeline"):
        with pytest.raises(HarnessError, match="this is the folder of `harness bench`"):
            getattr(bench, name)
