"""A run folder is kept at any kind of place, and comes back from there byte by byte; faults name the place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec import AbstractFileSystem, register_implementation

from harness.errors import HarnessError
from harness.record.run_folder import RunFolder
from harness.record.running import LOCK
from harness.store.artifacts import VARIABLE, Place, download, place, remove, upload
from tests.support.ftp import PASSWORD, ftp_server

RUN_ID = "20260202T090000Z-flash_sale-nightly-00a1"


@pytest.fixture(params=["directory", "file", "memory", "ftp"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A place of each kind; FTP is one where every byte goes through a real server."""
    (tmp_path / "served").mkdir()
    with ftp_server(tmp_path / "served") as ftp:
        urls = {
            "directory": f"{tmp_path}/kept here",
            "file": f"file://{tmp_path}/kept",
            "memory": f"memory://{tmp_path.name}/runs",
            "ftp": ftp,
        }
        monkeypatch.setenv(VARIABLE, urls[request.param])
        found = place()
        assert found is not None
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder.create(tmp_path / "reports", RUN_ID)
    made.plan.write_text('{"a": "plan"}')
    made.summary.write_text("{}")
    made.cpu.mkdir()
    (made.cpu / "1-steady.folded").write_bytes(bytes(range(256)) * 300)
    (made.path / "empty").touch()
    (made.path / LOCK).touch()
    return made


def _files(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != LOCK)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_run_goes_there_comes_back_whole_and_is_removed(kept: Place, folder: RunFolder, tmp_path: Path) -> None:
    location = upload(folder, kept)
    assert upload(folder, kept) == location  # again: replaces it
    assert location.endswith(f"/{RUN_ID}")
    assert PASSWORD not in location
    fetched = download(location, tmp_path / "elsewhere")
    assert fetched is not None
    assert _files(fetched.path) == _files(folder.path)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == [RUN_ID]
    assert remove(location, RUN_ID)
    assert not remove(location, RUN_ID)
    assert download(location, tmp_path / "again") is None


def test_a_copy_that_was_cut_off_is_no_run(folder: RunFolder, tmp_path: Path) -> None:
    to = Place(str(tmp_path / "kept"), str(tmp_path / "kept"))
    in_the_way = Path(to.location(RUN_ID)) / "summary.json"
    in_the_way.mkdir(parents=True)
    with pytest.raises(HarnessError, match="cannot be used"):
        upload(folder, to)
    assert (in_the_way.parent / "empty").exists()
    assert download(to.location(RUN_ID), tmp_path / "elsewhere") is None


def test_only_a_copy_of_that_run_is_removed(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="this is no copy of run"):
        remove(str(tmp_path / "reports"), RUN_ID)
    with pytest.raises(HarnessError, match="this is no copy of run"):
        remove(f"{tmp_path}/reports/..", "..")
    assert folder.plan.exists()


def test_the_runs_own_folder_is_no_place_for_its_copy(folder: RunFolder, tmp_path: Path) -> None:
    for url in (f"{tmp_path}/reports", f"file://{tmp_path}/reports"):
        with pytest.raises(HarnessError, match="would be the run folder itself"):
            upload(folder, Place(url, url))


def test_a_server_that_is_gone_is_told_without_the_password(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with ftp_server(tmp_path / "served") as url:
        pass
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, url)
        gone = place()
    assert gone is not None
    with pytest.raises(HarnessError) as told:
        upload(folder, gone)
    assert str(told.value).startswith(f"{gone.shown}: the place for run folders cannot be used:")
    assert "refused" in str(told.value)
    assert "geh" not in str(told.value)


class _Loud(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A kind of place whose faults repeat the URL it was given, as some do."""

    cachable = False

    @staticmethod
    def _get_kwargs_from_urls(url: str) -> dict[str, str]:
        return {"url": url}

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(**options)
        raise ConnectionError(f"nobody answers at {url}")


def test_a_fault_that_repeats_the_url_does_not_show_its_password(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_implementation("loud", _Loud, clobber=True)
    monkeypatch.setenv(VARIABLE, "loud://ann:s%3Acret@host/runs/")
    loud = place()
    assert loud is not None
    with pytest.raises(HarnessError) as told:
        upload(folder, loud)
    assert str(told.value).startswith("loud://ann@host/runs: the place for run folders cannot be used: nobody answers")
    assert f"loud://ann:***@host/runs/{RUN_ID}" in str(told.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s4://bucket", "no kind of place is called 's4'"),
        ("s3://bucket", "s3:// needs a package that is missing: Install s3fs"),
    ],
)
def test_a_place_that_cannot_be_is_told_before_anything_runs(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(HarnessError) as told:
        place()
    assert f"{VARIABLE}: {message}" in str(told.value)


def test_without_the_variable_nothing_is_kept_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " ")
    assert place() is None
