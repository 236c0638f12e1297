"""Benchmarks in the store: what benches came to one after the other, gone with their run."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.record.benchmark_figures import BenchmarkFigures
from harness.record.summary import Summary
from harness.store import RunEntry, open_store
from tests.support.stores import rows

TEST = "micro/test_x.py::test_a"


def bench(run_id: str, mean_s: float, day: int, suite: str = "shop") -> Summary:
    figures = BenchmarkFigures(
        test=TEST,
        name="test_a",
        rounds=3,
        iterations=1,
        min_s=1e-6,
        mean_s=mean_s,
        mean_interval_s=(1e-6, None),
        median_s=2e-6,
        p95_s=3e-6,
        p99_s=3e-6,
        max_s=3e-6,
        stddev_s=1e-6,
        ops=5e5,
    )
    return Summary(
        kind="bench",
        run_id=run_id,
        scenario=suite,
        profile="bench",
        started_at=f"2026-01-{day:02}T00:00:00Z",
        duration_s=1.0,
        verdict="pass",
        exit_code=0,
        benchmarks=[figures],
    )


def test_benches_are_stored_and_gone_with_their_run(store_url: str, tmp_path: Path) -> None:
    with open_store(store_url, tmp_path) as store:
        for run_id, mean_s, day, suite, fingerprint in (
            ("b", 2e-6, 2, "shop", "f1"),
            ("a", 1e-6, 1, "shop", "f1"),
            ("of another suite", 9e-6, 3, "cart", "f1"),
            ("of another machine", 9e-6, 3, "shop", "f2"),
        ):
            summary = bench(run_id, mean_s, day, suite)
            store.record_run(RunEntry(summary, fingerprint, tmp_path / run_id))
        history = store.benchmark_history("shop", "f1", most=10)
        assert [(one.run_id, one.benchmarks[0].mean_s) for one in history] == [("a", 1e-6), ("b", 2e-6)]
        assert [one.run_id for one in store.benchmark_history("shop", "f1", most=1)] == ["b"]
        store.record_run(RunEntry(bench("a", 1e-6, 1), "f1", tmp_path / "a"))
        of_a = "SELECT test FROM harness_benchmark WHERE run_id = 'a'"
        assert rows(store_url, of_a) == [(TEST,)]
        assert store.forget_run("a")
        assert rows(store_url, of_a) == []


def test_a_bench_is_in_the_store_whole_or_not_at_all(tmp_path: Path) -> None:
    with open_store(None, tmp_path) as store:
        with sqlite3.connect(tmp_path / "store.sqlite") as database:
            database.execute(
                "CREATE TRIGGER full BEFORE INSERT ON harness_benchmark BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        with pytest.raises(HarnessError):
            store.record_run(RunEntry(bench("a", 1e-6, 1), "f1", tmp_path))
        assert store.list_runs() == []
