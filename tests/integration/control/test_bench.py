"""What `harness bench` says where pytest has measured nothing, and that it leaves no run folder then."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness.control.bench import bench
from harness.errors import HarnessError
from harness.plan.bench_resolve import resolve_bench


def test_benchmarks_that_are_only_listed_are_no_broken_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_x.py").write_text("def test_x(benchmark): benchmark(range, 1)\n")
    monkeypatch.chdir(tmp_path)
    heard: list[str] = []
    with pytest.raises(HarnessError, match=r"^pytest --collect-only --color=yes: pytest ran none of these benchmarks"):
        bench(resolve_bench(["--collect-only", "--color=yes"]), out=tmp_path / "reports", hear=heard.append)
    assert "test_x" in "".join(heard)
    assert "\x1b" not in "".join(heard)
    assert list((tmp_path / "reports").glob("*/")) == []


def test_who_fails_to_hear_loses_nothing_and_why_pytest_could_not_begin_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hear(_: str) -> None:
        raise ValueError("the caller's own")

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="the caller's own") as raised:
        bench(resolve_bench(["--nope"]), out=tmp_path / "reports", hear=hear)
    told = raised.value.__context__
    assert isinstance(told, HarnessError)
    assert str(told).startswith("pytest --nope: pytest could not begin (its exit status: 4):\n  ERROR: usage")
    assert "error: unrecognized arguments: --nope\n" in str(told)
    assert list((tmp_path / "reports").glob("*/")) == []


def test_ctrl_c_before_there_is_a_benchmark_is_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hear(text: str) -> None:
        if "importing" in text:
            os.kill(os.getpid(), signal.SIGINT)

    (tmp_path / "test_x.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        bench(resolve_bench(["-s", "test_x.py"]), out=tmp_path / "reports", hear=hear)
    assert list((tmp_path / "reports").glob("*/")) == []
