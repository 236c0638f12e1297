"""More database statements than in the baseline are a cause: of what the requests of their endpoint wait longer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.measurement import measure
from harness.explain import explained
from harness.gates.judge import judge
from harness.recording import open_recording
from harness.recording.run import RunRecording
from tests.support.broken_runs import Broken, write_faults
from tests.support.judged import baseline_of
from tests.support.recordings import Failing
from tests.unit.analysis.test_traces import LOOP, Made
from tests.unit.analysis.test_waits import LOCKED, SERVED, with_profile
from tests.unit.explain.test_explained import run_of

ENDPOINTS = {"GET /products": 0.75, "POST /checkout": 0.25}


def traced(
    parent: Path, name: str, loops: dict[str, int], *, ms: float, locked: tuple[float, float] = (0.0, 0.0), **more: Any
) -> RunRecording:
    """A run whose requests wait 2 ms for each statement, of which they run as many as ``loops`` says.

    One that begins while a table is ``locked`` waits 80 ms for that.
    """
    run = open_recording(run_of(parent, name, ms=ms, endpoints=ENDPOINTS, **more))
    assert isinstance(run, RunRecording)
    made = Made(run)
    for number in range(80):
        request = made.request(at_s=1 + number / 4, endpoint=[*ENDPOINTS][number % 4 == 3])
        root = made.span(request, "server", 0, 90)
        for each in range(loops[str(run.journal.endpoints[request.endpoint])]):
            made.span(request, "database", 3 * each, 3 * each + 2, LOOP, root)
        if locked[0] <= request.at_s < locked[1]:
            made.span(request, "database", 5, 85, "SELECT locked", root)
    return made.save()


QUERIES = (*SERVED, "get_stock (shop/db.py:31)", "wait (psycopg/waiting.py:10)")


@pytest.mark.slow
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


def test_threads_that_wait_for_more_statements_are_no_second_part_of_the_rise(tmp_path: Path) -> None:
    before = [traced(tmp_path, f"before-{seed}", dict.fromkeys(ENDPOINTS, 1), ms=20, seed=seed) for seed in range(3)]
    now = traced(tmp_path, "now", {"GET /products": 21, "POST /checkout": 1}, ms=50)
    for run, weight in [*((run, 5) for run in before), (now, 75)]:
        with_profile(run.folder, "waits", {QUERIES: [weight] * 6})
    baseline_of(*map(measure, before), into=now.folder)
    found = next(each for each in explained(now, judge(now)).explanations if each.metric in ("p50", "mean", "p95"))
    assert [(cause.kind, cause.sure) for cause in found.causes] == [("statements", True), ("downstream", False)]


def test_more_statements_are_no_certain_cause_of_failures(tmp_path: Path) -> None:
    before = [traced(tmp_path, f"before-{seed}", dict.fromkeys(ENDPOINTS, 1), ms=20, seed=seed) for seed in range(3)]
    broken = [Failing(0.2, "HTTP 500", endpoint="GET /products")]
    now = traced(tmp_path, "now", {"GET /products": 2, "POST /checkout": 1}, ms=20, failures=broken)
    baseline_of(*map(measure, before), into=now.folder)
    found = next(each for each in explained(now, judge(now)).explanations if each.metric == "error_rate")
    assert [(cause.kind, cause.sure) for cause in found.causes] == [("failures", True), ("statements", False)]


def test_a_repeated_statement_is_named_where_a_gate_limits_their_number(tmp_path: Path) -> None:
    loops = {"GET /products": 8, "POST /checkout": 1}
    run = traced(tmp_path, "now", loops, ms=20, gates=["queries_per_request <= 5"])
    (found,) = explained(run, judge(run)).explanations
    named = [(cause.what.code, cause.what.params["endpoint"]) for cause in found.causes]
    assert named == [("cause-statements", "GET /products")]


def test_the_statement_that_takes_the_time_is_named_where_a_gate_limits_it(tmp_path: Path) -> None:
    """One of 2 ms, in 3 of 4 requests."""
    run = traced(tmp_path, "now", {"GET /products": 1, "POST /checkout": 0}, ms=20, gates=["db_time < 1ms"])
    (found,) = explained(run, judge(run)).explanations
    (cause,) = found.causes
    assert (cause.what.code, cause.what.params["text"]) == ("cause-long-statement", LOOP)
    assert cause.part is not None
    assert cause.part.value == pytest.approx(1.5, rel=0.1)


def test_what_statements_take_under_a_fault_is_no_cause_without_it(tmp_path: Path) -> None:
    """They wait for a locked table from second 5 to 10."""
    loops = {"GET /products": 1, "POST /checkout": 0}
    run = traced(tmp_path, "now", loops, locked=(5.0, 10.0), ms=20, gates=["db_time < 1ms"])
    write_faults(run.folder, Broken("locked", 4.5, 10.5))
    (found,) = explained(run, judge(run)).explanations
    assert [cause.what.params["text"] for cause in found.causes] == [LOOP]


def test_only_waits_for_calls_explain_the_time_of_downstream_calls(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "now", rank=2000, ms=36, gates=["downstream_time < 5ms"])
    calls = (
        *SERVED,
        "get_stock (shop/db.py:40)",
        "HTTPConnectionPool.urlopen (urllib3/connectionpool.py:5)",
        "[socket]",
    )
    with_profile(folder, "waits", {LOCKED: [42] * 6, calls: [40] * 6})
    run = open_recording(folder)
    assert isinstance(run, RunRecording)
    made = Made(run)
    for number in range(80):
        request = made.request(at_s=1 + number / 4)
        made.span(request, "downstream", 3, 23, parent=made.span(request, "server", 0, 36))
    recorded = made.save()
    (found,) = explained(recorded, judge(recorded)).explanations
    assert [(cause.kind, cause.place and cause.place.line) for cause in found.causes] == [("downstream", 40)]
