"""Which runs a sliding baseline has, on both databases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Thread

import pytest

from harness.record.gate_result import GateResult
from harness.record.measurement import Baseline
from harness.record.summary import Verdict
from harness.store import Store, open_store
from tests.support.baselines import make_entry, make_measurement, make_summary

KEY = ("flash_sale", "load", "f1")


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Store:
    return open_store(store_url, tmp_path)


def record(store: Store, verdicts: str, *, first: int = 1) -> None:
    """A run for each letter: (p)ass, (f)ail, (i)nconclusive, (b)roken."""
    words: dict[str, Verdict] = {"p": "pass", "f": "fail", "i": "inconclusive", "b": "broken"}
    for number, letter in enumerate(verdicts, start=first):
        store.record_run(make_entry(number, verdict=words[letter]))


def numbers(baseline: Baseline | None) -> list[int]:
    """Which runs it has, the latest first."""
    return [_numbers()[run.run_id] for run in baseline.runs] if baseline else []


@cache
def _numbers() -> dict[str, int]:
    return {make_summary(number).run_id: number for number in range(1, 40)}


@pytest.mark.parametrize(
    ("verdicts", "most", "expected"),
    [
        ("ppppp", 3, [5, 4, 3]),
        ("pp", 3, [2, 1]),
        ("pfpbp", 3, [5, 3, 1]),  # what failed or broke does not count
        ("pipip", 3, [5, 4, 3]),  # what was inconclusive does
        ("pppii", 3, [5, 4, 3, 2, 1]),  # and pushes nothing out before a clear run
        ("pppiiiii", 3, [8, 7, 6, 5, 4, 3]),  # … up to as many again
        ("iii", 3, [3, 2, 1]),
        ("f", 3, []),
    ],
)
def test_a_window_has_the_latest_runs_that_were_not_worse(
    store: Store, verdicts: str, most: int, expected: list[int]
) -> None:
    record(store, verdicts)
    store.set_window(make_entry(1, verdict="fail" if verdicts == "f" else "pass"), most)
    assert numbers(store.baseline_for(*KEY)) == expected
    (entry,) = store.list_baselines()
    assert entry.run_ids == tuple(make_summary(number).run_id for number in expected)
    assert entry.window == most
    kept = store.baseline_for(*KEY)
    assert kept is None or kept.window == most


def test_runs_of_others_do_not_join(store: Store) -> None:
    record(store, "p")
    store.record_run(make_entry(2, profile="smoke"))
    store.record_run(make_entry(3, fingerprint="f2"))
    store.record_run(make_entry(4, scenario="cart"))
    store.set_window(make_entry(1), 10)
    assert numbers(store.baseline_for(*KEY)) == [1]
    assert store.baseline_for("flash_sale", "smoke", "f1") is None


def test_a_run_that_is_judged_again_sees_the_window_of_its_time(store: Store) -> None:
    record(store, "pppp")
    store.set_window(make_entry(1), 2)
    before = datetime.fromisoformat(make_summary(3).started_at)
    assert numbers(store.baseline_for(*KEY, before=before)) == [2, 1]


def test_pinned_runs_count_before_a_window_until_they_are_removed(store: Store) -> None:
    record(store, "ppp")
    store.set_baseline(make_entry(1), replace=True)
    store.set_window(make_entry(3), 2)
    pinned = store.baseline_for(*KEY)
    assert (numbers(pinned), pinned and pinned.window) == ([1], None)
    assert store.remove_baseline(*KEY) == [make_summary(1).run_id]
    assert numbers(store.baseline_for(*KEY)) == [3, 2]
    assert store.remove_baseline(*KEY) == [make_summary(number).run_id for number in (3, 2)]
    assert store.baseline_for(*KEY) is None
    assert store.list_baselines() == []


def test_an_accepted_run_restarts_the_window_even_if_it_failed(store: Store) -> None:
    record(store, "pppff")
    store.set_window(make_entry(1), 10)
    store.accept(make_entry(4, verdict="fail"), "checks stock twice", most=10)
    baseline = store.baseline_for(*KEY)
    assert baseline is not None
    assert numbers(baseline) == [4]
    assert baseline.accepted is not None
    assert (baseline.accepted.run_id, baseline.accepted.why) == (make_summary(4).run_id, "checks stock twice")
    record(store, "pp", first=6)
    assert numbers(store.baseline_for(*KEY)) == [7, 6, 4]
    store.accept(make_entry(7), "no longer", most=10)
    assert numbers(store.baseline_for(*KEY)) == [7]


def test_what_failed_only_beside_the_level_before_joins_an_accepted_run(store: Store) -> None:
    def record_failed(number: int, *gates: GateResult) -> None:
        entry = make_entry(number, verdict="fail")
        store.record_run(replace(entry, summary=entry.summary.model_copy(update={"gates": list(gates)})))

    slower = GateResult(require="p95 <= baseline + 10%", status="fail", baseline=200.0)
    stepped = GateResult(require="p95 no step up", status="fail", baseline=200.0)
    errors = GateResult(require="error_rate < 1%", status="fail")
    held = GateResult(require="p95 < 1s", status="pass")
    record(store, "ppp")
    record_failed(4, slower)
    record_failed(5, slower)
    record_failed(6, stepped, slower, held)
    record_failed(7, slower, errors)
    store.set_window(make_entry(1), 10)
    store.accept(make_entry(5, verdict="fail"), "checks stock twice", most=10)
    assert numbers(store.baseline_for(*KEY)) == [6, 5]


def test_an_accepted_run_takes_the_place_of_pinned_ones(store: Store) -> None:
    record(store, "ppp")
    store.set_baseline(make_entry(1), replace=True)
    store.accept(make_entry(3), "cache removed", most=4)
    baseline = store.baseline_for(*KEY)
    assert baseline is not None
    assert (numbers(baseline), baseline.window) == ([3], 4)


def test_a_run_of_a_window_is_not_forgotten_one_that_has_left_it_is(store: Store) -> None:
    record(store, "pfpp")
    store.set_window(make_entry(4), 2)
    ids = {number: make_summary(number).run_id for number in range(1, 5)}
    assert {number: store.is_of_a_baseline(run_id) for number, run_id in ids.items()} == {
        1: False, 2: False, 3: True, 4: True,
    }  # fmt: skip
    assert [store.forget_run(run_id) for run_id in ids.values()] == [True, True, False, False]
    assert [run.baseline for run in store.list_runs()] == ["window", "window"]


@pytest.mark.slow
def test_writers_at_once_leave_one_window(store_url: str, tmp_path: Path) -> None:
    open_store(store_url, tmp_path).close()
    failed: list[BaseException] = []

    def write(own: Iterable[int]) -> None:
        try:
            with open_store(store_url, tmp_path) as store:
                for number in own:
                    store.set_window(make_entry(number), 5)
                    store.accept(make_entry(number), f"change {number}", most=5)
        except BaseException as error:  # noqa: BLE001  (shown by the test)
            failed.append(error)

    threads = [Thread(target=write, args=(range(start, 24, 3),)) for start in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with open_store(store_url, tmp_path) as store:
        (entry,) = store.list_baselines()
        assert len(store.list_runs()) == 23
        baseline = store.baseline_for(*KEY)
    assert entry.window == 5
    assert baseline is not None
    assert baseline.accepted is not None
    assert baseline.runs[-1] == make_measurement(numbers(baseline)[-1])
    assert baseline.runs[-1].run_id == baseline.accepted.run_id
