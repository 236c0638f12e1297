"""A run's folder is copied after the verdict and fetched by its id; a copy that fails is a warning."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem

from harness.control.artifacts import VARIABLE, ArtifactLocation
from harness.control.finalize import conclude, copy_run
from harness.control.run_lookup import find_or_fetch
from harness.errors import HarnessError
from harness.plan.model.run import RunPlan
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.store import open_store
from tests.support.plans import steady
from tests.support.recordings import make_environment, record_run


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HARNESS_STORE", VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "reports"


def ended_run(reports: Path, location: str) -> tuple[RunFolder, Summary]:
    """A run whose gate failed, concluded and copied as ``harness run`` does it."""
    folder = record_run(reports, phases=[steady(5, 3)], gates=["p95 < 1ms"], environment=make_environment())
    plan = read_model(folder.plan, RunPlan)
    with open_store(None, reports) as store:
        summary = conclude(folder, plan, make_environment(), store)
    return folder, copy_run(folder, summary, ArtifactLocation(location))


def test_a_run_that_is_not_here_is_fetched_by_its_id(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, summary = ended_run(reports, f"{tmp_path}/kept")
    assert summary.warnings == []
    text = folder.report.read_text()
    shutil.rmtree(folder.path)
    monkeypatch.setenv(VARIABLE, f"{tmp_path}/kept")
    found = find_or_fetch(folder.run_id, reports)
    assert found.path == folder.path
    assert found.report.read_text() == text
    assert find_or_fetch("latest", reports).path == folder.path


def test_a_run_that_is_nowhere_is_reported_with_where_it_was_looked_for(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = "20260101T000000Z-other"
    with pytest.raises(HarnessError) as raised:
        find_or_fetch(run, reports)
    assert (raised.value.code, raised.value.where, raised.value.params["folder"]) == ("run-not-found", run, reports)
    monkeypatch.setenv(VARIABLE, f"{tmp_path}/kept")
    with pytest.raises(HarnessError) as raised:
        find_or_fetch(run, reports)
    assert raised.value.code == "run-not-found-in-artifacts"
    assert str(raised.value.params["location"]) == f"{tmp_path}/kept"


class _Slow(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A location that takes so long that the user interrupts."""

    protocol = "slow"

    def put(self, *_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("url", "reason"), [("ftp://127.0.0.1:1/runs", "Connection refused"), ("slow://runs", "interrupted")]
)
def test_a_copy_that_fails_is_a_warning(url: str, reason: str, reports: Path) -> None:
    register_implementation("slow", _Slow, clobber=True)
    folder, summary = ended_run(reports, url)
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    (warning,) = read_model(folder.summary, Summary).warnings
    assert url in str(warning)
    assert reason in str(warning)


def test_a_run_id_that_is_almost_right_is_suggested(reports: Path) -> None:
    folder = record_run(reports, phases=[steady(5, 3)], environment=make_environment())
    with pytest.raises(HarnessError) as raised:
        find_or_fetch(folder.run_id[:-1], reports)
    assert (raised.value.code, raised.value.params["near"]) == ("run-misspelled", folder.run_id)
