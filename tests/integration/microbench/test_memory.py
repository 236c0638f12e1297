"""Traces of memory are read one by one: what one of them lacks does not take the others along."""

from __future__ import annotations

from pathlib import Path

import memray

from harness.microbench.memory import read_traces


def test_a_trace_that_cannot_be_read_is_told_and_does_not_lose_the_others(tmp_path: Path) -> None:
    for number, test in enumerate(("x.py::test_cut_off", "x.py::test_whole")):
        trace = tmp_path / f"00{number}.bin"
        trace.with_suffix(".test").write_text(test)
        with memray.Tracker(trace):
            bytearray(1000)
    (tmp_path / "000.bin").write_bytes((tmp_path / "000.bin").read_bytes()[:30])
    found = read_traces(tmp_path)
    assert set(found.figures) == {"x.py::test_whole"}
    assert set(found.damaged) == {"x.py::test_cut_off"}
