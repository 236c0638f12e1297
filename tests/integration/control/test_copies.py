"""The copy of a run's folder: made after judging, noted in the store, found by its id; without it the run is whole."""

from __future__ import annotations

import io
import shutil
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem

from harness.cli import main
from harness.control.finalize import conclude, keep_copy
from harness.control.run_lookup import find
from harness.errors import HarnessError
from harness.plan.model import RunPlan
from harness.record.run_folder import RunFolder, read_model, write_text
from harness.record.running import marked_as_running
from harness.record.summary import Summary
from harness.store import RunEntry, open_store
from harness.store.artifacts import ArtifactLocation
from tests.support.recordings import make_environment, record_run, steady


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HARNESS_STORE", "HARNESS_ARTIFACTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "reports"


def ended_run(reports: Path, place: ArtifactLocation) -> tuple[RunFolder, Summary]:
    """A run whose gate failed, concluded and copied as ``harness run`` does it."""
    folder = record_run(reports, phases=[steady(5, 3)], gates=["p95 < 1ms"], environment=make_environment())
    plan = read_model(folder.plan, RunPlan)
    with open_store(None, reports) as store:
        summary = conclude(folder, plan, make_environment(), store)
        return folder, keep_copy(folder, summary, make_environment(), store, place)


def test_a_run_that_is_not_here_is_found_where_the_store_says(reports: Path, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    folder, summary = ended_run(reports, ArtifactLocation(kept))
    assert summary.warnings == []
    text = folder.report.read_text()
    shutil.rmtree(folder.path)
    found = find(folder.run_id, reports)
    assert found.path == folder.path
    assert found.report.read_text() == text
    assert find("latest", reports).path == folder.path


def test_without_a_store_that_knows_it_a_run_is_found_where_copies_are_kept(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = str(tmp_path / "kept")
    folder, _ = ended_run(reports, ArtifactLocation(kept))
    monkeypatch.setenv("HARNESS_ARTIFACTS", kept)
    assert find(folder.run_id, tmp_path / "desk").path == tmp_path / "desk" / folder.run_id
    with pytest.raises(HarnessError) as told:
        find("20260101T000000Z-other", tmp_path / "desk")
    assert str(told.value) == (
        "20260101T000000Z-other: there is no such run folder\n"
        f"  Looked in {tmp_path}/desk/; among the copies in {kept}."
    )


def test_a_copy_that_the_store_has_by_another_users_name_is_found_in_ones_own_place(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = str(tmp_path / "kept")
    folder, summary = ended_run(reports, ArtifactLocation(kept))
    with open_store(None, reports) as store:
        theirs = f"ftp://runner@127.0.0.1:1/kept/{folder.run_id}"
        store.record_run(RunEntry(summary, "f1", folder.path, theirs))
    shutil.rmtree(folder.path)
    monkeypatch.setenv("HARNESS_ARTIFACTS", kept)
    assert find(folder.run_id, reports).path == folder.path


def test_what_does_not_answer_hides_no_copy_within_reach(
    reports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = str(tmp_path / "kept")
    folder, _ = ended_run(reports, ArtifactLocation(kept))
    shutil.rmtree(folder.path)
    monkeypatch.setenv("HARNESS_ARTIFACTS", "ftp://127.0.0.1:1/runs")  # moved, and down; the store has the former one
    assert find(folder.run_id, reports).path == folder.path
    with pytest.raises(HarnessError, match="Connection refused"):
        find(f"{folder.run_id}0", reports)
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "store.sqlite").write_text("no store")
    monkeypatch.setenv("HARNESS_ARTIFACTS", kept)
    assert find(folder.run_id, tmp_path / "desk").path == tmp_path / "desk" / folder.run_id


def test_of_a_run_that_is_nowhere_it_is_told_where_it_was_looked_for(reports: Path, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    folder, _ = ended_run(reports, ArtifactLocation(kept))
    shutil.rmtree(folder.path)
    shutil.rmtree(kept)
    with pytest.raises(HarnessError) as told:
        find(folder.run_id, reports)
    assert str(told.value) == (
        f"{folder.run_id}: there is no such run folder\n  Looked in {reports}/; in the store {reports}/store.sqlite, "
        f"by which its copy is {kept}/{folder.run_id} (HARNESS_ARTIFACTS names no place of copies)."
    )


class _Slow(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A place at which somebody loses patience."""

    protocol = "slow"

    def put(self, *_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("url", "why"), [("ftp://127.0.0.1:1/runs", "Connection refused"), ("slow://runs", "interrupted")]
)
def test_a_copy_that_fails_is_a_warning_that_says_what_to_do(url: str, why: str, reports: Path) -> None:
    register_implementation("slow", _Slow, clobber=True)
    folder, summary = ended_run(reports, ArtifactLocation(url))
    assert (summary.verdict, summary.exit_code) == ("fail", 1)
    (warning,) = read_model(folder.summary, Summary).warnings
    assert warning.startswith(f"the run folder was not copied to {url}: ")
    assert why in warning
    assert warning.endswith(f"make the copy later: harness upload {folder.path}")
    with open_store(None, reports) as store:
        assert [entry.artifact for entry in store.list_runs()] == [None]


def upload(run: str, reports: Path, place: str) -> tuple[int, str]:
    """``harness upload RUN --out REPORTS`` in this process: its exit code, and what it said."""
    err = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(err):
        patch.setattr(sys, "argv", ["harness", "upload", run, "--out", str(reports)])
        patch.setenv("HARNESS_ARTIFACTS", place)
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, err.getvalue()


def test_a_copy_that_failed_is_made_later(reports: Path, tmp_path: Path) -> None:
    folder, _ = ended_run(reports, ArtifactLocation("ftp://127.0.0.1:1"))
    location = f"{tmp_path}/kept/{folder.run_id}"
    assert upload("latest", reports, f"{tmp_path}/kept") == (0, f"copied to {location}\n")
    assert (Path(location) / "plan.json").exists()
    with open_store(None, reports) as store:
        (entry,) = store.list_runs()
    assert entry.artifact == location
    assert entry.summary.warnings == read_model(folder.summary, Summary).warnings


def test_a_run_that_was_killed_is_copied_as_it_is(reports: Path, tmp_path: Path) -> None:
    folder = record_run(reports, phases=[steady(5, 3)], end_reason=None)
    assert upload(folder.run_id, reports, f"{tmp_path}/kept")[0] == 0
    assert (tmp_path / "kept" / folder.run_id / "journal").read_bytes() == folder.journal.read_bytes()


def test_the_logs_of_a_run_that_was_killed_are_masked_before_they_leave(reports: Path, tmp_path: Path) -> None:
    folder = record_run(reports, phases=[steady(5, 3)], end_reason=None)
    plan = read_model(folder.plan, RunPlan).model_copy(update={"secret_names": ("iban",)})
    write_text(folder.plan, plan.model_dump_json())
    for log in (folder.log, folder.target_log):
        log.write_text("paid from iban=DE02 with token=s3cr3t\n")
    assert upload(folder.run_id, reports, f"{tmp_path}/kept")[0] == 0
    for name in ("harness.log", "target.log"):
        assert (tmp_path / "kept" / folder.run_id / name).read_text() == "paid from iban=*** with token=***\n"


def test_a_log_that_could_not_be_masked_is_no_part_of_the_copy(reports: Path, tmp_path: Path) -> None:
    folder, summary = ended_run(reports, ArtifactLocation(f"{tmp_path}/elsewhere"))
    folder.target_log.write_text("token=s3cr3t\n")
    place, copied = ArtifactLocation(f"{tmp_path}/kept"), tmp_path / "kept" / folder.run_id
    with open_store(None, reports) as store:
        summary = keep_copy(folder, summary, make_environment(), store, place, without=["target.log"])
    assert (copied / "plan.json").exists()
    assert not (copied / "target.log").exists()
    assert summary.warnings == [f"target.log left out of the copy; mask and copy later: harness upload {folder.path}"]
    assert upload(folder.run_id, reports, f"{tmp_path}/kept")[0] == 0
    assert (copied / "target.log").read_text() == "token=***\n"


def test_a_run_that_is_going_on_is_not_copied(reports: Path, tmp_path: Path) -> None:
    folder = record_run(reports, phases=[steady(5, 3)], end_reason=None)
    with marked_as_running(folder):
        code, said = upload(folder.run_id, reports, f"{tmp_path}/kept")
    assert code == 2
    assert f"{folder.run_id}: the run is still going on\n  It is copied at its end" in said
    assert not (tmp_path / "kept").exists()


def test_uploading_to_nowhere_is_refused(reports: Path) -> None:
    code, said = upload("latest", reports, "")
    assert code == 2
    assert "HARNESS_ARTIFACTS: no place is named\n  HARNESS_ARTIFACTS=s3://bucket/runs, or a directory." in said
