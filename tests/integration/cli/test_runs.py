"""``harness runs`` as its user calls it, on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from harness.control.finalize import conclude
from harness.plan.model.run import RunPlan
from harness.record.run_folder import read_model
from harness.store import open_store
from tests.support.baselines import make_entry, make_summary
from tests.support.in_process import harness
from tests.support.plans import steady
from tests.support.recordings import make_environment, record_run


@pytest.mark.slow
def test_runs_are_listed_latest_first_with_their_commit_and_baseline(store_url: str, tmp_path: Path) -> None:
    environment = make_environment("f1").model_copy(update={"target_commit": "0123456789ab+"})
    run_id = "20260203T000000Z-flash_sale-load-0001"
    folder = record_run(
        tmp_path, run_id=run_id, profile="load", phases=[steady(name="held", seconds=10)], environment=environment
    )
    with open_store(store_url, tmp_path) as store:
        store.set_baseline(make_entry(1), replace=True)
        store.record_run(make_entry(2, scenario="cart"))
        conclude(folder, read_model(folder.plan, RunPlan), environment, store)
    listed = harness("runs", "--json", "--out", str(tmp_path), store=store_url).json
    assert [(run["run_id"], run["commit"], run["baseline"], run["folder_exists"]) for run in listed] == [
        (make_summary(2, scenario="cart").run_id, None, None, False),
        (make_summary(1).run_id, None, "pinned", False),
        (run_id, "0123456789ab+", None, True),
    ]
    assert harness("runs", "--limit", "9" * 30, "--out", str(tmp_path), store=store_url).exit_code == 2
    shown = harness("runs", "flash_sale", "--limit", "1", "--out", str(tmp_path), store=store_url)
    assert (shown.exit_code, shown.out) == (0, "")
    assert make_summary(1).run_id in shown.err
    assert run_id not in shown.err


@pytest.mark.parametrize(("columns", "details"), [("80", False), ("120", True)])
def test_every_run_has_one_line_in_a_narrow_terminal(
    columns: str, details: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(None, tmp_path) as store:
        store.record_run(make_entry(1, verdict="inconclusive"))
    monkeypatch.setenv("COLUMNS", columns)
    heading, line = harness("runs", "--out", str(tmp_path)).err.splitlines()
    assert line.split()[0] == make_summary(1).run_id
    assert "inconclusive" in line
    assert ("environment" in heading) == details


def test_a_scenario_without_runs_is_an_error_that_names_those_with(store_url: str, tmp_path: Path) -> None:
    assert harness("runs", "--out", str(tmp_path), store=store_url).exit_code == 0
    with open_store(store_url, tmp_path) as store:
        store.record_run(make_entry(1))
    said = harness("runs", "flash_sail", "--out", str(tmp_path), store=store_url)
    assert said.exit_code == 2
    assert '"flash_sale"' in said.err


@pytest.mark.parametrize(
    "junk",
    [
        "started_at = 'yesterday'",
        "started_at = 7",
        "started_at = x'00ff'",
        "scenario = CAST(x'ff' AS TEXT)",
        "verdict = x'ff00'",
        "folder = CAST(x'00ff' AS TEXT), summary = '{'",
        "folder = hex(zeroblob(5000))",
        "target_commit = 12",
    ],
)
def test_a_damaged_row_is_listed_like_the_others(junk: str, tmp_path: Path) -> None:
    with open_store(None, tmp_path) as store:
        store.record_run(make_entry(1))
        store.record_run(make_entry(2))
    with sqlite3.connect(tmp_path / "store.sqlite") as raw:
        raw.execute(f"UPDATE harness_run SET {junk} WHERE run_id = ?", [make_summary(1).run_id])
    raw.close()
    listed = harness("runs", "--json", "--out", str(tmp_path))
    assert listed.exit_code == 0, listed.err
    assert {run["run_id"] for run in listed.json} == {make_summary(1).run_id, make_summary(2).run_id}
    assert harness("runs", "--out", str(tmp_path)).exit_code == 0
