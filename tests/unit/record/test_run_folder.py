"""The run folder: found by name, written completely, and missing or damaged files are reported."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.record.run_folder import RunFolder, find_run, new_run_id, read_json, write_json, write_text


def test_run_ids_sort_by_time_and_are_safe_file_names() -> None:
    early = new_run_id("flash sale/€", "load", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    late = new_run_id("a", "..", datetime(2026, 2, 3, 4, 5, 7, tzinfo=UTC))
    assert early.startswith("20260203T040506Z-flash_sale-load-")
    assert late.startswith("20260203T040507Z-a-run-")
    assert early < late
    assert new_run_id("a", "b") != new_run_id("a", "b")


def test_the_names_of_many_locustfiles_make_an_id_that_a_file_system_takes(tmp_path: Path) -> None:
    scenario = "+".join(f"locustfile_of_team_{number}" for number in range(20))
    folder = RunFolder.create(tmp_path, new_run_id(scenario, "p" * 300))
    write_text(folder.path.with_name(f".{folder.run_id}.pruned"), "")


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, check=lambda error: error.code == "run-folder-not-made"):
        RunFolder.create(tmp_path / "file", "run")


def test_what_is_not_a_run_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, check=lambda error: error.code == "run-folder-not-found"):
        RunFolder.open(tmp_path / "nothing")
    with pytest.raises(HarnessError, check=lambda error: error.code == "not-a-run-folder"):
        RunFolder.open(tmp_path)


def test_runs_are_found_by_path_by_id_and_as_the_latest(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, check=lambda error: error.code == "no-run-yet"):
        find_run("latest", tmp_path)
    for name in ("20260101T000000Z-a", "20260102T000000Z-b"):
        folder = RunFolder.create(tmp_path, name)
        folder.plan.write_text("{}")
        folder.journal.touch()
    RunFolder.create(tmp_path, "20260103T000000Z-never-began").plan.write_text("{}")
    RunFolder.create(tmp_path / "being fetched", ".20260101T000000Z-c").plan.write_text("{}")
    assert find_run("latest", tmp_path).run_id == "20260102T000000Z-b"
    with pytest.raises(HarnessError, check=lambda error: error.code == "no-run-yet"):
        find_run("latest", tmp_path / "being fetched")
    assert find_run("20260101T000000Z-a", tmp_path).path == tmp_path / "20260101T000000Z-a"
    assert find_run(str(tmp_path / "20260101T000000Z-a"), Path("/")).run_id == "20260101T000000Z-a"
    with pytest.raises(HarnessError, check=lambda error: error.code == "run-folder-not-found"):
        find_run("20260103T000000Z-c", tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_text(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "second \udc80")
    assert path.read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_json_files_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(HarnessError, check=lambda error: error.code == "file-missing"):
        read_json(path)
    path.write_text('{\n"a": }')
    with pytest.raises(HarnessError, check=lambda error: error.code == "invalid-json") as raised:
        read_json(path)
    assert raised.value.where == f"{path}:2"
    path.unlink()
    path.mkdir()
    with pytest.raises(HarnessError, check=lambda error: error.code == "not-a-file"):
        read_json(path)
    path.rmdir()
    write_json(path, {"name": "Zürich"})
    assert read_json(path) == {"name": "Zürich"}
    write_json(path, {"message": "half \ud800"})
    assert read_json(path) == {"message": "half ?"}


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"", b"[" * 200_000, b"1" * 5000, b'{"a": NaN}', b"-Infinity", b'"\\ud800"', b"{} {}"]
)
def test_json_that_would_fail_later_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "summary.json"
    path.write_bytes(content)
    with pytest.raises(HarnessError, check=lambda error: error.code == "invalid-json") as raised:
        read_json(path)
    assert raised.value.where == f"{path}:1"
