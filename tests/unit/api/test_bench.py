"""A bench from Python: verdict, gates, a table of benchmarks; what only a run under load has is rejected."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness import HarnessError, Run
from harness.errors import ManyProblemsError
from tests.support.benches import bench_folder
from tests.support.errors import harness_error

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
    with pytest.raises(ManyProblemsError) as wrong:
        bench.judge("p95 < 5ms")
    assert [problem.code for problem in wrong.value.problems] == ["requirement-without-benchmark"]
    with pytest.raises(HarnessError) as error_info:
        bench.judge('bench("test_a").max < 1s', phase="steady")
    assert (error_info.value.code, error_info.value.where) == ("judge-not-of-a-bench", "phase=")


def test_what_only_a_load_has_is_refused(bench: Run) -> None:
    for name in ("plan", "timeline"):
        with pytest.raises(HarnessError) as error_info:
            getattr(bench, name)
        assert error_info.value.code == "run-is-a-bench"


def test_wrong_input_is_reported_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ManyProblemsError) as raised:
        harness.bench("test_x.py", gate="p95 < 5")
    assert [problem.code for problem in raised.value.problems] == ["requirement-without-benchmark"]
    with harness_error("file-unreadable") as unreadable:
        harness.bench("test_x.py", gates="nowhere.toml")
    assert unreadable.value.where == "nowhere.toml"
    with harness_error("bench-option-taken"):
        harness.bench(["test_x.py", "--benchmark-json=b.json"])
    with pytest.raises(HarnessError, check=lambda error: error.code == "bench-compare-fail-refused"):
        harness.bench(["test_x.py", "--benchmark-compare-fail=mean:5%"])
    assert list(tmp_path.iterdir()) == []


def test_paths_are_arguments_as_texts_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (Path("--harness-bench"), [Path("--harness-bench")]):  # refused, but understood
        with pytest.raises(HarnessError, check=lambda error: error.code == "bench-option-taken") as raised:
            harness.bench(arguments)
        assert raised.value.where == "--harness-bench"
