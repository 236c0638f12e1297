"""Traces of memory are read one by one: what one of them lacks does not take the others along."""

from __future__ import annotations

from pathlib import Path

import memray
import pytest

from harness.microbench.memory import read_traces
from harness.microbench.request import Request

pytest_plugins = ["pytester"]

SUITE = """
import gc

def make():
    return [{"a": n, "b": n} for n in range(70)]

def collect():
    gc.collect()

def test_first(benchmark):
    benchmark(make)

def test_after_a_call(benchmark):
    benchmark(make)

def test_after_a_collection(benchmark):
    benchmark.pedantic(make, setup=collect)
"""


def test_an_unreadable_trace_is_reported_and_does_not_lose_the_others(tmp_path: Path) -> None:
    for number, test in enumerate(("x.py::test_cut_off", "x.py::test_whole")):
        trace = tmp_path / f"00{number}.bin"
        trace.with_suffix(".test").write_text(test)
        with memray.Tracker(trace):
            bytearray(1000)
    (tmp_path / "000.bin").write_bytes((tmp_path / "000.bin").read_bytes()[:30])
    found = read_traces(tmp_path)
    assert set(found.figures) == {"x.py::test_whole"}
    assert set(found.damaged) == {"x.py::test_cut_off"}


@pytest.mark.slow
def test_what_ran_before_is_not_in_the_figures(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("memory")
    request = Request(report=str(folder / "suite.json"), memory=str(folder)).write(folder / "request.json")
    pytester.makepyfile(test_x=SUITE)
    ours = ["-p", "harness.microbench.plugin", f"--harness-bench={request}", "--benchmark-disable", "-n0"]
    assert pytester.runpytest_subprocess(*ours).ret == 0
    counted = [figures.allocations for figures in read_traces(folder).figures.values()]
    assert len(counted) == 3
    assert max(counted) - min(counted) < 10, counted  # else 142, 16 and 149: 140 are there already, or not


@pytest.mark.slow
def test_a_project_that_skips_benchmarks_and_forbids_warnings_is_traced(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("memory")
    request = Request(report=str(folder / "suite.json"), memory=str(folder)).write(folder / "request.json")
    pytester.makepyfile(test_x=SUITE)
    ours = ["-p", "harness.microbench.plugin", f"--harness-bench={request}", "--benchmark-disable", "-n0"]
    assert pytester.runpytest_subprocess("--benchmark-skip", "-W", "error", *ours).ret == 0
    assert len(read_traces(folder).figures) == 3
