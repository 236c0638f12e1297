"""What `harness bench` says where pytest has measured nothing, and that it leaves no run folder then."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.control.bench import bench
from harness.errors import HarnessError
from harness.plan.bench_resolve import resolve_bench


def test_benchmarks_that_are_only_listed_are_no_broken_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_x.py").write_text("def test_x(benchmark): benchmark(range, 1)\n")
    monkeypatch.chdir(tmp_path)
    heard: list[str] = []
    with pytest.raises(HarnessError, match=r"^pytest --collect-only: pytest ran none of these benchmarks"):
        bench(resolve_bench(["--collect-only"]), out=tmp_path / "reports", hear=heard.append)
    assert "test_x" in "".join(heard)
    assert list((tmp_path / "reports").glob("*/")) == []
