"""More database statements than in the baseline are a cause: of what the requests of their endpoint wait longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.measurement import measure
from harness.explain import explained
from harness.gates.judge import judge
from harness.recording import open_recording
from harness.recording.run import RunRecording
from tests.support.judged import baseline_of
from tests.unit.analysis.test_traces import LOOP, Made
from tests.unit.explain.test_explained import run_of

ENDPOINTS = {"GET /products": 0.75, "POST /checkout": 0.25}


def traced(parent: Path, name: str, loops: dict[str, int], *, ms: float, seed: int = 0) -> RunRecording:
    """A run whose requests wait 2 ms for each statement, of which they run as many as ``loops`` says."""
    run = open_recording(run_of(parent, name, ms=ms, endpoints=ENDPOINTS, seed=seed))
    assert isinstance(run, RunRecording)
    made = Made(run)
    for number in range(80):
        request = made.request(at_s=1 + number / 4, endpoint=[*ENDPOINTS][number % 4 == 3])
        root = made.span(request, "server", 0, 90)
        for each in range(loops[str(run.journal.endpoints[request.endpoint])]):
            made.span(request, "database", 3 * each, 3 * each + 2, LOOP, root)
    return made.save()


def test_each_endpoint_has_its_own_part_of_the_rise(tmp_path: Path) -> None:
    """20 statements more in 3 of 4 requests are 30 ms a request of any endpoint; 8 more in 1 of 4 are 4 ms."""
    usual = {"GET /products": 1, "POST /checkout": 1}
    before = [traced(tmp_path, f"before-{seed}", usual, ms=20, seed=seed) for seed in range(3)]
    now = traced(tmp_path, "now", {"GET /products": 21, "POST /checkout": 9}, ms=60)
    baseline_of(*map(measure, before), into=now.folder)
    found = next(each for each in explained(now, judge(now)).explanations if each.metric in ("p50", "mean", "p95"))
    assert [(cause.what.code, cause.sure) for cause in found.causes] == [("cause-more-statements", True)] * 2
    ms = {cause.what.params["endpoint"]: cause.per_request_ms for cause in found.causes}
    assert {name: each and each.value for name, each in ms.items()} == {
        "GET /products": pytest.approx(30, rel=0.1),
        "POST /checkout": pytest.approx(4, rel=0.1),
    }
