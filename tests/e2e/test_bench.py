"""``harness bench`` as a user runs it: a suite kept as baseline, then with a function that has become slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.api.result import Run
from harness.record.profiles import read_folded
from harness.record.summary import Summary
from tests.support.children import wait_until
from tests.support.in_process import harness, press_ctrl_c, running_in
from tests.support.lean_pytest import LEAN

SUITE = """\
import os


def busy(n):
    return sum(range(n))


def count_words():
    return busy(1_000_000 if os.environ.get("SLOW") else 500)


def test_count_words(benchmark):
    assert benchmark(count_words) > 0


def test_steady(benchmark):
    assert benchmark(busy, 500) > 0


def test_of_another_kind():
    raise AssertionError("only benchmarks are run")
"""
PROJECT = f"""\
[project]
name = "words"

[tool.pytest.ini_options]
addopts = "--dist loadfile --benchmark-only -p no:harness {LEAN}"

[tool.harness.bench]
paths = ["micro"]
gates = ['bench("test_count_words").mean <= baseline + 25%']
"""
QUICK = ("--benchmark-max-time=0.02",)
LEFT_OUT = (
    *("--deselect", "micro/test_words.py::test_of_another_kind"),
    *("--deselect", "micro/test_words.py::test_steady"),  # a profile of it would take 2 s
)
"""The value of an option may look like a test to run: the project's paths still apply."""


def summary_in(out: str) -> Summary:
    return Summary.model_validate_json(out)


@pytest.mark.slow
def test_a_function_that_became_slow_fails_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, kept = tmp_path / "project", tmp_path / "kept"  # not below the project, whose settings still apply
    (project / "micro").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "micro" / "test_words.py").write_text(SUITE)
    out = ("--out", str(kept))
    (project / "test_elsewhere.py").write_text("def test_elsewhere(benchmark): benchmark(range, 1)\n")

    first = harness("bench", *out, *QUICK, "--junit-prefix", "token=s3cr3t", "--memory", "--json", cwd=project)
    before = summary_in(first.out)
    assert (before.verdict, first.exit_code) == ("inconclusive", 3)
    assert before.gates[0].code == "baseline-missing"
    assert "configfile: pyproject.toml" in first.err
    assert [row.name for row in before.benchmarks] == ["test_count_words", "test_steady"]
    assert all(row.rounds >= 5 and row.allocations is not None for row in before.benchmarks)
    written = [path for path in kept.rglob("*") if path.is_file()]
    assert [path.name for path in written if b"s3cr3t" in path.read_bytes()] == []
    assert harness("baseline", "set", "latest", *out, cwd=project).exit_code == 0

    monkeypatch.setenv("SLOW", "1")
    slow = harness("bench", *out, *QUICK, "--profile", *LEFT_OUT, "--json", cwd=project)
    after = summary_in(slow.out)
    (gate,) = after.gates
    assert gate.require == 'bench("test_count_words").mean <= baseline + 25%'
    assert gate.observed is not None
    assert gate.observed > 100 * (gate.baseline or 0) > 0
    # If other tests had the core during all of its few rounds, they may have been slow for that reason.
    assert (gate.status, after.verdict, slow.exit_code) == ("fail", "fail", 1) or gate.code == "gate-disturbed", (
        slow.err
    )
    assert "1 passed, 2 deselected" in slow.err  # pytest's own words are shown as they come

    (seen,) = (kept / after.run_id / "cpu").glob("0-*.folded")
    most = max(read_folded(seen), key=lambda stack: stack.weight)
    assert [frame.partition(" (")[0] for frame in most.frames] == ["count_words", "busy"]

    loaded = Run.load(out=kept)
    assert not loaded.verdict.passed
    assert list(loaded.benchmarks["name"]) == ["test_count_words"]
    assert {"report.html", "summary.md", "junit.xml", "rounds.parquet", "history.json"} <= {
        path.name for path in loaded.path.iterdir()
    }

    def interrupt() -> None:
        wait_until(lambda: running_in(project, "record"), seconds=60, what="the profile")
        press_ctrl_c()

    assert harness("bench", *out, *QUICK, "--profile", cwd=project, meanwhile=interrupt).exit_code == 130
