"""What goes into a store comes out of it again, on both databases."""

from datetime import datetime
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.record.summary import Summary
from harness.store import ListedRun, RunEntry, Store, open_store
from tests.support.baselines import make_entry, make_measurement, make_summary
from tests.support.stores import rows


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Store:
    return open_store(store_url, tmp_path)


def test_runs_come_back_whole_and_latest_first(store: Store, tmp_path: Path) -> None:
    summaries = [make_summary(n, scenario=f"s{n}", profile=f"p{n}") for n in (2, 3, 1)]
    for summary in summaries:
        store.record_run(RunEntry(summary, "f1", tmp_path / summary.run_id))
    assert store.list_runs() == [
        ListedRun(
            run_id=summary.run_id,
            scenario=summary.scenario,
            profile=summary.profile,
            fingerprint="f1",
            started_at=datetime.fromisoformat(summary.started_at),
            verdict=summary.verdict,
            commit=None,
            baseline=None,
            folder=tmp_path / summary.run_id,
        )
        for summary in (summaries[1], summaries[0], summaries[2])
    ]


def test_a_run_recorded_again_replaces_its_entry(store: Store, tmp_path: Path) -> None:
    store.record_run(RunEntry(make_summary(verdict="fail"), "f1", tmp_path))
    store.record_run(RunEntry(make_summary(verdict="pass"), "f1", tmp_path))
    assert [run.verdict for run in store.list_runs()] == ["pass"]


def test_a_run_is_forgotten_unless_a_baseline_names_it(store: Store, tmp_path: Path) -> None:
    for number in (1, 2):
        store.record_run(RunEntry(make_summary(number), "f1", tmp_path / make_summary(number).run_id))
    store.set_baseline(make_entry(1), replace=True)
    first, second = make_summary(1).run_id, make_summary(2).run_id
    assert [(run.run_id, run.verdict, run.folder) for run in store.list_runs()] == [
        (second, "pass", tmp_path / second),
        (first, "pass", tmp_path / first),
    ]
    assert (store.is_of_a_baseline(first), store.is_of_a_baseline(second)) == (True, False)
    assert not store.forget_run(first)
    assert store.forget_run(second)
    assert not store.forget_run(second)
    assert [run.run_id for run in store.list_runs()] == [first]
    store.remove_baseline("flash_sale", "load", "f1")
    assert store.forget_run(first)
    assert store.list_runs() == []


def test_text_of_the_target_is_kept_whatever_it_holds(store: Store, store_url: str, tmp_path: Path) -> None:
    summary = make_summary().model_copy(update={"reasons": ["NUL \x00, escape \x1b[31m, 'quote', 🛒"]})
    store.record_run(RunEntry(summary, "f1", tmp_path))
    ((kept,),) = rows(store_url, "SELECT summary FROM harness_run")
    assert Summary.model_validate_json(kept) == summary


def test_a_run_folder_below_the_reports_moves_with_them(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    inside, outside = make_summary(1), make_summary(2)
    with open_store(None, before) as store:
        store.record_run(RunEntry(inside, "f1", before / inside.run_id))
        store.record_run(RunEntry(outside, "f1", tmp_path / "elsewhere" / outside.run_id))
    before.rename(after)
    with open_store(None, after) as store:
        folders = {run.run_id: run.folder for run in store.list_runs()}
    assert folders == {
        inside.run_id: after / inside.run_id,
        outside.run_id: tmp_path / "elsewhere" / outside.run_id,
    }


def test_an_empty_store_has_no_baseline(store: Store) -> None:
    assert store.baseline_for("flash_sale", "load", "f1") is None
    assert store.list_baselines() == []


def test_a_baseline_comes_back_whole(store: Store) -> None:
    run = make_measurement()
    store.set_baseline(make_entry(), replace=True)
    baseline = store.baseline_for("flash_sale", "load", "f1")
    assert baseline is not None
    assert (baseline.scenario, baseline.profile, baseline.fingerprint) == ("flash_sale", "load", "f1")
    assert baseline.runs == [run]


def test_setting_a_baseline_replaces_its_runs(store: Store) -> None:
    for number in (1, 2):
        store.set_baseline(make_entry(number), replace=False)
    store.set_baseline(make_entry(3), replace=True)
    baseline = store.baseline_for("flash_sale", "load", "f1")
    assert baseline is not None
    assert baseline.runs == [make_measurement(3)]


def test_an_added_run_joins_the_others_latest_first(store: Store) -> None:
    for number in (2, 3, 1):
        store.set_baseline(make_entry(number), replace=False)
    baseline = store.baseline_for("flash_sale", "load", "f1")
    assert baseline is not None
    assert baseline.runs == [make_measurement(number) for number in (3, 2, 1)]


def test_a_run_added_twice_counts_once(store: Store) -> None:
    store.set_baseline(make_entry(p95=100), replace=False)
    store.set_baseline(make_entry(p95=300), replace=False)
    baseline = store.baseline_for("flash_sale", "load", "f1")
    assert baseline is not None
    assert baseline.runs == [make_measurement(p95=300)]


def test_scenario_profile_and_environment_each_have_their_own(store: Store) -> None:
    own = make_measurement(1)
    store.set_baseline(make_entry(1), replace=True)
    store.set_baseline(make_entry(2, fingerprint="f2"), replace=True)
    store.set_baseline(make_entry(3, profile="smoke"), replace=True)
    store.set_baseline(make_entry(4, scenario="api"), replace=True)
    baseline = store.baseline_for("flash_sale", "load", "f1")
    assert baseline is not None
    assert baseline.runs == [own]
    keys = [(entry.scenario, entry.profile, entry.fingerprint) for entry in store.list_baselines()]
    assert keys == [
        ("api", "load", "f1"),
        ("flash_sale", "load", "f1"),
        ("flash_sale", "load", "f2"),
        ("flash_sale", "smoke", "f1"),
    ]
    assert len(store.list_baselines("flash_sale", "load")) == 2


def test_the_list_names_each_run_and_when_the_latest_started(store: Store) -> None:
    runs = [make_measurement(number) for number in (1, 2)]
    for number in (1, 2):
        store.set_baseline(make_entry(number), replace=False)
    (entry,) = store.list_baselines()
    assert entry.run_ids == (runs[1].run_id, runs[0].run_id)
    assert entry.started_at is not None
    assert entry.started_at.isoformat() == runs[1].started_at
    assert entry.set_at.tzinfo is not None


def test_a_baseline_is_removed_by_run_or_whole(store: Store) -> None:
    runs = [make_measurement(number) for number in (1, 2, 3)]
    for number in (1, 2, 3):
        store.set_baseline(make_entry(number), replace=False)
    assert store.remove_baseline("flash_sale", "load", "f1", runs[1].run_id) == [runs[1].run_id]
    assert store.remove_baseline("flash_sale", "load", "f1") == [runs[2].run_id, runs[0].run_id]
    assert store.remove_baseline("flash_sale", "load", "f1") == []
    assert store.baseline_for("flash_sale", "load", "f1") is None


def test_a_time_without_zone_is_utc(store: Store, tmp_path: Path) -> None:
    for number, started in ((1, "2026-02-02T09:30:00"), (2, "2026-02-02T11:00:00+02:00")):
        summary = make_summary(number).model_copy(update={"started_at": started})
        store.record_run(RunEntry(summary, "f1", tmp_path))
    assert [run.started_at and run.started_at.isoformat() for run in store.list_runs()] == [
        "2026-02-02T09:30:00+00:00",
        "2026-02-02T09:00:00+00:00",
    ]


def test_a_start_that_is_not_a_time_is_an_error(store: Store, tmp_path: Path) -> None:
    summary = make_summary().model_copy(update={"started_at": "yesterday"})
    with pytest.raises(HarnessError, check=lambda error: error.code == "started-at-invalid"):
        store.record_run(RunEntry(summary, "f1", tmp_path))
