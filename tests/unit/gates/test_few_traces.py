"""A figure that is known from too few traced requests has no upper bound: what settles its gate is more of them."""

from __future__ import annotations

from pathlib import Path

from harness.gates.judge import judge
from harness.recording import RunRecording, open_recording
from tests.support.plans import steady
from tests.support.recordings import record_run
from tests.unit.analysis.test_traces import LOOP, Made


def test_a_figure_of_few_traces_needs_more_of_them(tmp_path: Path) -> None:
    run = open_recording(record_run(tmp_path, phases=[steady()], gates=["queries_per_request <= 5"]))
    assert isinstance(run, RunRecording)
    made = Made(run)
    for at_s in (2.0, 3.0):
        request = made.request(at_s=at_s)
        root = made.span(request, "server", 0, 90)
        for number in range(16):
            made.span(request, "database", 3 * number, 3 * number + 2, LOOP, root)
    (result,) = judge(made.save()).gates
    assert (result.status, result.code, result.observed) == ("inconclusive", "gate-unbounded", 16)
