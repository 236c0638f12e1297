"""A run that is judged again is compared with a baseline that was set since, or says exactly why with none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.measurement import measure
from harness.api.result import Run
from harness.control.finalize import conclude, look_up_baseline
from harness.messages import Message
from harness.plan.model.run import RunPlan
from harness.record.environment import Environment
from harness.record.measurement import Baseline
from harness.record.run_folder import RunFolder, read_model
from harness.recording import open_recording
from harness.store import RunEntry, open_store
from tests.support.plans import steady
from tests.support.recordings import make_environment, record_run

GATE = "p95 <= baseline + 400%"


def ended_run(reports: Path, number: int, *, environment: Environment | None = None, profile: str = "load") -> Run:
    """A run that was concluded while there was no baseline yet."""
    environment = environment or make_environment()
    run_id = f"2026020{number}T090000Z-shop-{profile}-000{number}"
    folder = record_run(
        reports,
        run_id=run_id,
        profile=profile,
        phases=[steady(20, 10)],
        gates=[GATE],
        environment=environment,
        endpoints={"GET /": 1.0},
    )
    with open_store(None, reports) as store:
        conclude(folder, read_model(folder.plan, RunPlan), environment, store)
    return Run(folder)


def set_baseline(run: Run) -> None:
    environment = read_model(run.folder.environment, Environment)
    with open_store(None, run.path.parent) as store:
        measurement = measure(open_recording(run.folder))
        entry = RunEntry(run.summary, environment.fingerprint, run.path, measurement=measurement)
        store.set_baseline(entry, replace=False)


def why_none(folder: RunFolder) -> Message:
    """Why judging again finds no baseline; its gate says so."""
    why, _ = look_up_baseline(open_recording(folder), None)
    assert why is not None
    assert Run(folder).judge().gates[0].reason == str(why)
    return why


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    return tmp_path / "reports"


def test_a_baseline_that_was_set_since_is_found(reports: Path) -> None:
    first, second = ended_run(reports, 1), ended_run(reports, 2)
    assert second.judge().gates[0].code == "baseline-missing"
    set_baseline(second)
    set_baseline(first)
    assert [gate.status for gate in second.judge("p95 <= baseline + 300%").gates] == ["pass"]
    kept = read_model(second.folder.comparison, Baseline)
    assert [run.run_id for run in kept.runs] == [first.id]
    assert second.judge().verdict.passed


@pytest.mark.slow
def test_a_baseline_that_has_grown_since_is_named(reports: Path) -> None:
    first, second, third = (ended_run(reports, number) for number in (1, 2, 3))
    set_baseline(first)
    assert "baseline-changed-since" not in [notice.code for notice in second.judge().summary.notices]
    set_baseline(second)
    assert "baseline-changed-since" not in [notice.code for notice in second.judge().summary.notices]
    set_baseline(third)
    (found,) = (notice for notice in second.judge().summary.notices if notice.code == "baseline-changed-since")
    assert found.params == {"then": [first.id], "now": [third.id, first.id]}


def test_a_gate_that_reads_none_gets_none(reports: Path) -> None:
    first, second = ended_run(reports, 1), ended_run(reports, 2)
    set_baseline(first)
    assert second.judge("p95 < 10s").verdict.passed
    assert not second.folder.comparison.exists()


def test_a_run_is_not_compared_with_itself(reports: Path) -> None:
    run = ended_run(reports, 1)
    set_baseline(run)
    assert why_none(RunFolder(run.path.rename(reports / "renamed"))).code == "baseline-is-this-run"


def test_a_baseline_of_another_profile_or_machine_is_named(reports: Path) -> None:
    other = make_environment().model_copy(update={"fingerprint": "another"})
    for run in (ended_run(reports, 1, environment=other), ended_run(reports, 2, profile="smoke")):
        set_baseline(run)
    here = make_environment().fingerprint
    run = ended_run(reports, 3)
    why = why_none(run.folder)
    assert (why.code, why.params) == (
        "baseline-of-others-only",
        {
            "scenario": run.plan.scenario.name,
            "profile": "load",
            "fingerprint": here,
            "others": f"load · environment another; smoke · environment {here}",
            "run": str(run.path),
        },
    )


def test_a_missing_store_is_the_reason(reports: Path) -> None:
    run = ended_run(reports, 1)
    (reports / "store.sqlite").unlink()
    assert why_none(run.folder).code == "baseline-no-store"
    assert not (reports / "store.sqlite").exists()
    (reports / "store.sqlite").write_text("what is this? " * 100)
    why = why_none(run.folder)
    assert (why.code, why.params["where"]) == ("baseline-not-read", f"{reports}/store.sqlite")
