"""Failed gates and changes get their causes, ranked, with their part; what is sound gets none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.measurement import measure
from harness.record.explanation import Explanation
from harness.record.measurement import Baseline
from harness.record.profiles import ProfileIndex, Stack
from harness.record.run_folder import RunFolder, write_json
from harness.recording import open_recording
from tests.support.judged import judge
from tests.support.latencies import lognormal
from tests.support.plans import ramp, steady
from tests.support.recordings import Profiles, WorkerState, record_run
from tests.unit.analysis.test_waits import LOCKED, SERVED, with_profile
from tests.unit.gates.test_equal_speed import SPEEDS, made

SERVE = ("main (shop/__main__.py:12)", "run (uvicorn/server.py:60)")
RANK = (*SERVE, "search (shop/app.py:120)", "rank (shop/rank.py:40)")
USUAL = {(*SERVE, "list_products (shop/app.py:80)"): 900, (*SERVE, "checkout (shop/app.py:140)"): 500, RANK: 200}


def run_of(parent: Path, name: str, *, ms: float = 20, rank: int = 200, **more: Any) -> RunFolder:
    """30 s of 100 requests a second, which take so long and of which ``rank`` has so many of 100 samples a second."""
    stacks = [Stack(frames, weight) for frames, weight in {**USUAL, RANK: rank}.items()]
    options: dict[str, Any] = {
        "phases": [steady(rate=100, seconds=30)],
        "latency": lognormal(ms),
        "profiles": Profiles(cpu={"steady": stacks}),
        "sampled": lambda _: {"machine": {"others_percent": 2.0, "cores": 2.0}},
        **more,
    }
    return record_run(parent, run_id=name, **options)


def explanations(folder: RunFolder, before: Sequence[RunFolder] = ()) -> list[Explanation]:
    if before:
        runs = [measure(open_recording(each)) for each in before]
        kept = Baseline(scenario="flash_sale", profile="default", fingerprint="f1e2d3c4", runs=runs)
        write_json(folder.comparison, kept.model_dump(by_alias=True))
    return judge(folder).explanations


def test_a_function_that_grew_is_the_cause_with_its_part_of_the_rise(tmp_path: Path) -> None:
    """1,200 samples more in 3,000 requests are 4 ms a request; the mean rose by 8 %, from 20 to 30 ms."""
    before = [run_of(tmp_path, f"before-{seed}", seed=seed) for seed in range(3)]
    folder = run_of(tmp_path, "now", ms=30, rank=1400, gates=["p95 < 45ms"])

    first, *others = explanations(folder, before)
    assert (first.metric, first.gates, first.against) == ("p95", ["p95 < 45ms"], "baseline")
    assert [explanation.metric for explanation in others] == []
    assert first.rise is not None
    assert first.rise.value == pytest.approx(19, abs=3)
    cause = first.causes[0]
    assert (cause.kind, cause.what.code, cause.sure) == ("cpu", "cause-cpu", True)
    assert cause.place is not None
    assert (cause.place.function, cause.place.line) == ("rank", 40)
    assert cause.per_request_ms is not None
    assert cause.per_request_ms.value == pytest.approx(4, rel=0.1)
    assert cause.share is not None
    assert cause.share.value == pytest.approx(4 / 10.8, rel=0.2)
    assert cause.part is not None
    assert cause.part.value == pytest.approx(first.rise.value * cause.share.value)
    assert first.unexplained is not None
    assert first.unexplained.value == pytest.approx(first.rise.value - cause.part.value)


def busy(target: float, machine: float) -> Any:
    values = {
        "target": {"cpu_percent": target, "waiting_percent": 0.0},
        "machine": {"cpu_percent": machine, "others_percent": 2.0, "cores": 2.0},
    }
    return lambda _: values


def test_growth_that_saturates_the_target_is_the_cause_of_the_queue(tmp_path: Path) -> None:
    """4 ms of CPU time a request are 1 % of what a request now waits for the others."""
    before = [run_of(tmp_path, f"before-{seed}", seed=seed, sampled=busy(60, 80)) for seed in range(3)]
    folder = run_of(tmp_path, "now", ms=400, rank=1400, gates=["p95 < 45ms"], sampled=busy(180, 195))
    (cause,) = explanations(folder, before)[0].causes
    assert cause.place is not None
    assert (cause.kind, cause.sure, cause.place.function, cause.share) == ("cpu", True, "rank", None)
    assert [each.code for each in cause.evidence] == ["cause-saturated-machine"]


def test_a_run_like_its_baseline_needs_no_explanation(tmp_path: Path) -> None:
    before = [run_of(tmp_path, f"before-{seed}", seed=seed) for seed in range(3)]
    assert explanations(run_of(tmp_path, "now", seed=9, gates=["p95 < 500ms"]), before) == []


def test_a_rise_without_a_cause_stays_unexplained(tmp_path: Path) -> None:
    before = [run_of(tmp_path, f"before-{seed}", seed=seed) for seed in range(3)]
    (found,) = explanations(run_of(tmp_path, "now", ms=40), before)
    assert (found.gates, found.causes, found.unexplained) == ([], [], None)
    assert found.rise is not None


def test_without_a_baseline_the_costliest_function_may_be_the_cause(tmp_path: Path) -> None:
    (found,) = explanations(run_of(tmp_path, "now", rank=2000, gates=["p95 < 5ms"]))
    assert (found.against, found.reference, found.rise) == ("limit", 5, None)
    assert found.causes[0].what.code == "cause-cpu-most"
    assert found.causes[0].place is not None
    assert found.causes[0].place.function == "rank"
    assert not found.causes[0].sure
    assert found.unexplained is None


@pytest.mark.parametrize(("samples", "named"), [(1, False), (200, True)])
def test_a_function_is_not_the_costliest_after_a_few_samples(tmp_path: Path, samples: int, named: bool) -> None:
    profiles = Profiles(cpu={"steady": [Stack(RANK, samples)]})
    folder = run_of(tmp_path, "now", ms=400, profiles=profiles, gates=["p95 < 5ms"], sampled=busy(80, 195))
    (found,) = explanations(folder)
    assert any(cause.kind == "cpu" for cause in found.causes) == named


def test_where_requests_wait_for_a_core_the_costliest_function_may_be_the_cause_however_short(tmp_path: Path) -> None:
    """It takes 3 ms of 400: requests wait for those before them."""
    folder = run_of(tmp_path, "now", ms=400, rank=1000, gates=["p95 < 5ms"], sampled=busy(80, 195))
    (found,) = explanations(folder)
    named = [cause for cause in found.causes if cause.kind == "cpu"]
    assert [(cause.place and cause.place.function, cause.share, cause.sure) for cause in named] == [
        ("rank", None, False)
    ]


@pytest.mark.parametrize(("waiting", "named"), [(10, True), (400, False)])
def test_where_requests_mostly_wait_the_costliest_function_is_no_cause(
    tmp_path: Path, waiting: int, named: bool
) -> None:
    """It takes 57 % of the CPU time, 1.3 ms of 23; if 400 threads of 5 s are seen to wait, a request waits for 160."""
    stacks = [Stack(RANK, 400), Stack((*SERVE, "list_products (shop/app.py:80)"), 300)]
    options: dict[str, Any] = {
        "profiles": Profiles(cpu={"steady": stacks}),
        "gates": ["p95 < 5ms"],
        "sampled": busy(23, 60),
    }
    folder = run_of(tmp_path, "now", **options)
    with_profile(folder, "waits", {LOCKED: [waiting] * 6})
    (found,) = explanations(folder)
    assert any(cause.kind == "cpu" for cause in found.causes) == named


@pytest.mark.parametrize(("others", "named"), [(2.0, True), (190.0, False)])
def test_where_others_took_the_cores_a_short_function_is_no_cause(tmp_path: Path, others: float, named: bool) -> None:
    """It takes 0.3 ms of 34 on a core; of the rest, requests wait for a core for 19 ms."""
    stacks = [Stack(RANK, 100), Stack((*SERVE, "list_products (shop/app.py:80)"), 70)]
    readings = {
        "target": {"cpu_percent": 23.0, "waiting_percent": 300.0},
        "machine": {"cpu_percent": 195.0, "others_percent": others, "cores": 2.0},
    }
    options: dict[str, Any] = {
        "profiles": Profiles(cpu={"steady": stacks}),
        "gates": ["p95 < 5ms"],
        "sampled": lambda _: readings,
    }
    (found,) = explanations(run_of(tmp_path, "now", ms=30, **options))
    assert any(cause.kind == "cpu" for cause in found.causes) == named


def test_what_starts_a_server_is_not_charged_with_what_the_server_does(tmp_path: Path) -> None:
    stacks = [Stack((*SERVE, "parse (uvicorn/http.py:7)"), 1600), Stack(RANK, 200)]
    folder = run_of(tmp_path, "now", profiles=Profiles(cpu={"steady": stacks}), gates=["p95 < 5ms"])
    (found,) = explanations(folder)
    assert found.causes == []


def test_others_that_took_the_cores_come_before_all_else(tmp_path: Path) -> None:
    taken = {
        "target": {"cpu_percent": 50.0, "waiting_percent": 60.0},
        "machine": {"others_percent": 180.0, "cores": 2.0},
    }
    before = [run_of(tmp_path, f"before-{seed}", seed=seed) for seed in range(3)]
    folder = run_of(tmp_path, "now", ms=60, sampled=lambda _: taken, gates=["p95 < 45ms"])
    (found,) = explanations(folder, before)
    assert found.causes[0].what.code == "cause-cores-taken"
    assert found.causes[0].what.params["others"] == pytest.approx(1.8, abs=0.01)
    assert found.causes[0].what.params["seconds"] == ["0–30 s"]


def test_others_that_left_a_gate_undecided_are_its_first_likely_cause(tmp_path: Path) -> None:
    """Even if the queues that they made took far longer, so that their part is not known."""
    taken = {
        "target": {"cpu_percent": 50.0, "waiting_percent": 60.0},
        "machine": {"others_percent": 100.0, "cores": 2.0},
    }
    folder = run_of(tmp_path, "now", ms=5000, sampled=lambda _: taken, gates=["p95 < 45ms"])
    with_profile(folder, "waits", {LOCKED: [5000] * 6})
    (found,) = explanations(folder)
    assert [(cause.kind, cause.sure) for cause in found.causes] == [("cores-taken", False), ("lock", False)]
    assert found.causes[0].part is None


def test_only_a_sampled_target_is_said_to_explain_nothing(tmp_path: Path) -> None:
    """Without permission to sample it, nobody looked."""
    taken = {"target": {"waiting_percent": 60.0}, "machine": {"others_percent": 100.0, "cores": 2.0}}
    found = []
    for sampled in (False, True):
        folder = run_of(tmp_path, f"{sampled}", sampled=lambda _: taken, gates=["p95 < 5ms"], profiles=None)
        if sampled:
            with_profile(folder, "waits", {SERVED: [50] * 6})
        found += [cause.evidence for each in explanations(folder) for cause in each.causes]
    assert [[each.code for each in evidence] for evidence in found] == [[], ["evidence-nothing-in-target"]]


def test_others_are_not_a_cause_at_equal_machine_speed(tmp_path: Path) -> None:
    before = [made(tmp_path / str(speed), speed) for speed in SPEEDS]
    found = explanations(made(tmp_path, 1.0, cost=1.3, taken=True), before)
    assert [(each.metric, each.causes) for each in found] == [("cpu_per_request", [])]


def test_an_undecided_gate_is_not_reported_as_beyond_its_limit(tmp_path: Path) -> None:
    taken = {
        "target": {"cpu_percent": 50.0, "waiting_percent": 60.0},
        "machine": {"others_percent": 180.0, "cores": 2.0},
    }
    (found,) = explanations(run_of(tmp_path, "now", sampled=lambda _: taken, gates=["p95 < 15ms"]))
    assert (found.what.code, found.what.params["require"]) == ("explain-undecided", "p95 < 15ms")


def test_a_generator_that_was_the_limit_is_the_cause(tmp_path: Path) -> None:
    folder = run_of(
        tmp_path,
        "now",
        worker=lambda _: WorkerState(cpu=0.99),
        phases=[steady(users=50, seconds=20)],
        gates=["p95 < 5ms"],
    )
    (found, *_) = [each for each in explanations(folder) if each.phase == "steady"]
    assert found.causes[0].what.code == "cause-generator-limited"


def test_an_invariant_that_broke_is_explained_by_what_it_says(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "now", verify={"status": "fail", "message": "the ledger does not balance"})
    (found,) = explanations(folder)
    assert (found.metric, found.what.code) == ("verify", "explain-invariant")
    assert "the ledger does not balance" in found.what.text


def test_a_lock_that_requests_wait_for_longer_is_the_cause(tmp_path: Path) -> None:
    """250 samples of 5 a second are 50 s, in some 3,000 requests."""
    before = [run_of(tmp_path, f"before-{seed}", seed=seed) for seed in range(3)]
    for folder in before:
        with_profile(folder, "waits", {LOCKED: [1, 0, 2, 1, 1, 0]})
    folder = run_of(tmp_path, "now", ms=36)
    with_profile(folder, "waits", {LOCKED: [42, 41, 43, 40, 44, 42]})
    found = explanations(folder, before)[0]
    cause = found.causes[0]
    assert (cause.kind, cause.what.code, cause.sure) == ("lock", "cause-lock", True)
    assert cause.place is not None
    assert (cause.place.function, cause.place.line) == ("get_stock", 31)
    assert cause.per_request_ms is not None
    assert cause.per_request_ms.value == pytest.approx(17, rel=0.15)
    assert cause.share is not None
    assert cause.share.value > 0.8


def fill_a_core(folder: RunFolder) -> None:
    index = ProfileIndex.load(folder.profiles)
    for profile in index.profiles:
        profile.spans[:] = [replace(span, cpu_s={1: span.duration_s}) for span in profile.spans]
    index.save(folder.profiles)


def test_where_a_process_has_no_cpu_time_to_spare_a_function_comes_before_waits(tmp_path: Path) -> None:
    """While threads wait for a core, what they hold is held for longer: each lock, each connection."""
    before = [run_of(tmp_path, f"before-{seed}", seed=seed, sampled=busy(20, 50)) for seed in range(3)]
    for folder in before:
        with_profile(folder, "waits", {LOCKED: [1, 0, 2, 1, 1, 0]})
    folder = run_of(tmp_path, "now", ms=100, rank=1400, sampled=busy(99, 120))
    fill_a_core(folder)
    with_profile(folder, "waits", {LOCKED: [42, 41, 43, 40, 44, 42]})
    causes = explanations(folder, before)[0].causes
    assert [(cause.kind, cause.sure) for cause in causes] == [("cpu", True), ("lock", False)]


@pytest.mark.parametrize(("python", "kinds"), [("3.12", ["saturated"]), (None, [])])
def test_only_python_has_no_more_than_one_core(tmp_path: Path, python: str | None, kinds: list[str]) -> None:
    """Of other targets, perf adds up the CPU time of all threads."""
    profiles = Profiles(cpu={"steady": [Stack(frames, weight) for frames, weight in USUAL.items()]}, python=python)
    folder = run_of(tmp_path, "now", profiles=profiles, gates=["p95 < 5ms"], sampled=busy(99, 120))
    fill_a_core(folder)
    (found,) = explanations(folder)
    assert [cause.kind for cause in found.causes if cause.kind != "cpu"] == kinds


def test_a_wait_that_did_not_grow_is_not_a_cause(tmp_path: Path) -> None:
    folders = [run_of(tmp_path, f"before-{seed}", seed=seed) for seed in range(3)] + [run_of(tmp_path, "now", ms=36)]
    for folder in folders:
        with_profile(folder, "waits", {LOCKED: [42, 41, 43, 40, 44, 42]})
    assert [explanation.causes for explanation in explanations(folders[-1], folders[:-1])] == [[]]


def test_a_wait_in_code_that_moved_is_not_a_cause(tmp_path: Path) -> None:
    moved = (*SERVED, "take_from_stock (shop/db.py:52)", "[lock]")
    folders = [run_of(tmp_path, f"before-{seed}", seed=seed) for seed in range(3)] + [run_of(tmp_path, "now", ms=36)]
    for folder in folders:
        with_profile(folder, "waits", {moved if folder is folders[-1] else LOCKED: [42, 41, 43, 40, 44, 42]})
    assert [explanation.causes for explanation in explanations(folders[-1], folders[:-1])] == [[]]


def blocked(tmp_path: Path, gates: Sequence[str], **more: Any) -> RunFolder:
    """Users who wait in all 20 s of the phase ``steady`` for what they have sent before."""
    phases = [ramp(users=20, seconds=2), steady(users=0, seconds=20)]
    return run_of(tmp_path, "now", ms=60_000, phases=phases, gates=gates, profiles=None, **more)


IDLE = {"target": {"cpu_percent": 1.0}}


def test_what_threads_wait_for_is_the_cause_of_a_phase_without_requests(tmp_path: Path) -> None:
    """However few of the requests under way have a thread: the others wait for these."""
    folder = blocked(tmp_path, ["p95 < 50ms", "error_rate < 1%"], sampled=lambda _: IDLE)
    with_profile(folder, "waits", {LOCKED: [50, 50, 50, 50]}, phase=1)
    (found,) = [each for each in explanations(folder) if each.phase == "steady"]
    assert (found.gates, found.what.code) == (["p95 < 50ms", "error_rate < 1%"], "explain-invariant")
    (cause,) = found.causes
    assert (cause.kind, cause.sure) == ("lock", True)
    assert cause.place is not None
    assert cause.place.function == "get_stock"
    assert cause.share is not None
    assert cause.share.value > 0.95


def test_what_uses_the_cpu_may_be_the_cause_of_a_phase_without_requests(tmp_path: Path) -> None:
    folder = blocked(tmp_path, ["p95 < 50ms"], sampled=lambda _: {"target": {"cpu_percent": 100.0}})
    with_profile(folder, "cpu", {(*SERVED, "get_stock (shop/db.py:31)"): [25, 25, 25, 25]}, phase=1)
    (found,) = [each for each in explanations(folder) if each.phase == "steady"]
    assert [(cause.kind, cause.place and cause.place.function) for cause in found.causes] == [("cpu", "get_stock")]


def test_without_a_baseline_the_longest_wait_may_be_the_cause(tmp_path: Path) -> None:
    folder = run_of(tmp_path, "now", ms=36, gates=["p95 < 5ms"])
    with_profile(folder, "waits", {LOCKED: [42, 41, 43, 40, 44, 42]})
    (found,) = explanations(folder)
    assert next((cause.kind, cause.sure) for cause in found.causes) == ("lock", False)
