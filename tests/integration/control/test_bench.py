"""What `harness bench` says where pytest has measured nothing, and that it leaves no run folder then."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness.control.bench import bench
from harness.errors import HarnessError, problems_of
from harness.plan.bench_resolve import resolve_bench
from harness.record.suite import read_memory


@pytest.mark.slow
def test_listing_benchmarks_does_not_break_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_x.py").write_text("def test_x(benchmark): benchmark(range, 1)\n")
    monkeypatch.chdir(tmp_path)
    output: list[str] = []
    with pytest.raises(HarnessError, check=lambda error: error.code == "bench-none-ran") as raised:
        bench(resolve_bench(["--collect-only", "--color=yes"]), out=tmp_path / "reports", on_output=output.append)
    assert raised.value.where == "pytest --collect-only --color=yes"
    assert "test_x" in "".join(output)
    assert "\x1b" not in "".join(output)
    assert list((tmp_path / "reports").glob("*/")) == []


@pytest.mark.slow
def test_a_failing_listener_loses_nothing_and_hides_no_error_of_pytest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hear(_: str) -> None:
        raise ValueError("the caller's own")

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="the caller's own") as raised:
        bench(resolve_bench(["--nope"]), out=tmp_path / "reports", on_output=hear)
    error = raised.value.__context__
    assert isinstance(error, HarnessError)
    assert (error.code, error.params["status"], error.where) == ("bench-not-started", 4, "pytest --nope")
    assert "error: unrecognized arguments: --nope\n" in str(error.params["output"])
    assert list((tmp_path / "reports").glob("*/")) == []


@pytest.mark.slow
def test_a_suite_that_cannot_be_imported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_x.py").write_text("import nowhere\ndef test_x(benchmark): benchmark(range, 1)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError) as raised:
        bench(resolve_bench(["test_x.py"]), out=tmp_path / "reports", on_output=lambda _: None)
    (problem,) = problems_of(raised.value)
    assert (problem.code, problem.where) == ("bench-not-collected", "test_x.py")
    assert "No module named 'nowhere'" in str(problem.params["error"])
    assert list((tmp_path / "reports").glob("*/")) == []


@pytest.mark.slow
def test_ctrl_c_before_the_first_benchmark_is_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hear(text: str) -> None:
        if "importing" in text:
            os.kill(os.getpid(), signal.SIGINT)

    (tmp_path / "test_x.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        bench(resolve_bench(["-s", "test_x.py"]), out=tmp_path / "reports", on_output=hear)
    assert list((tmp_path / "reports").glob("*/")) == []


@pytest.mark.slow
def test_memory_is_missed_only_of_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_x.py").write_text(
        "import pytest\n"
        "def test_idle(benchmark): pass\n"
        "@pytest.mark.skip\ndef test_skipped(benchmark): pass\n"
        "def test_traced(benchmark): benchmark(bytearray, 999)\n"
    )
    monkeypatch.chdir(tmp_path)
    plan = resolve_bench(["test_x.py", "--benchmark-max-time=0.001"], memory=True)
    folder, summary = bench(plan, out=tmp_path / "reports", on_output=lambda _: None)
    assert set(read_memory(folder.benchmark_memory)) == {"test_x.py::test_traced"}
    assert [warning for warning in summary.warnings if "memray" in warning] == []


def test_ctrl_c_while_pytest_starts_shows_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output: list[str] = []

    def hear(text: str) -> None:
        output.append(text)
        if "importing" in text:
            os.kill(os.getpid(), signal.SIGINT)

    (tmp_path / "conftest.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    (tmp_path / "test_x.py").write_text("def test_x(benchmark): benchmark(range, 1)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        bench(resolve_bench(["-s", "test_x.py"]), out=tmp_path / "reports", on_output=hear)
    assert "Traceback" not in "".join(output)
    assert list((tmp_path / "reports").glob("*/")) == []


def test_ctrl_c_before_pytest_starts_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = tmp_path / "bin" / "git"  # asked for the commit
    git.parent.mkdir()
    git.write_text("#!/bin/sh\nkill -INT $PPID\nexec sleep 60\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
    (tmp_path / "test_x.py").write_text("def test_x(benchmark): benchmark(range, 1)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        bench(resolve_bench(["test_x.py"]), out=tmp_path / "reports", on_output=lambda _: None)
    assert list((tmp_path / "reports").glob("*/")) == []
