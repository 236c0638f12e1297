"""A run folder is copied to any kind of location, and comes back byte by byte; errors name the location."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fsspec import AbstractFileSystem, register_implementation
from fsspec.implementations.local import LocalFileSystem

from harness.control.artifacts import VARIABLE, ArtifactLocation, artifact_location, download, upload
from harness.errors import HarnessError
from harness.record.run_folder import LOCK, RunFolder
from tests.support.ftp import PASSWORD, ftp_server

RUN_ID = "20260202T090000Z-flash_sale-nightly-00a1"


@pytest.fixture(params=["directory", "file", "memory", "ftp"])
def location(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ArtifactLocation]:
    """One of each kind; with FTP every byte goes through a real server."""
    (tmp_path / "served").mkdir()
    with ftp_server(tmp_path / "served") as ftp:
        urls = {
            "directory": f"{tmp_path}/kept here",
            "file": f"file://{tmp_path}/kept",
            "memory": f"memory://{tmp_path.name}/runs",
            "ftp": ftp,
        }
        monkeypatch.setenv(VARIABLE, urls[request.param])
        found = artifact_location()
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


def test_a_copied_run_comes_back_whole(location: ArtifactLocation, folder: RunFolder, tmp_path: Path) -> None:
    upload(folder, location)
    assert PASSWORD not in str(location)
    fetched = download(RUN_ID, location, tmp_path / "elsewhere")
    assert fetched is not None
    assert _files(fetched.path) == _files(folder.path)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == [RUN_ID]
    assert download("another", location, tmp_path / "elsewhere") is None


def test_a_copy_that_was_cut_off_is_not_a_run(folder: RunFolder, tmp_path: Path) -> None:
    location = ArtifactLocation(str(tmp_path / "kept"))
    in_the_way = tmp_path / "kept" / RUN_ID / "summary.json"
    in_the_way.mkdir(parents=True)
    with pytest.raises(HarnessError) as raised:
        upload(folder, location)
    assert raised.value.code == "artifacts-unavailable"
    assert (in_the_way.parent / "empty").exists()
    assert download(RUN_ID, location, tmp_path / "elsewhere") is None


class _Flaky(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A directory that does not always respond."""

    protocol = "flaky"
    silent = ""

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path.removeprefix("flaky://")

    def info(self, path: str, **options: Any) -> Any:
        if self.silent == "info":
            raise TimeoutError("timed out")
        return super().info(path, **options)

    def ls(self, path: str, *arguments: Any, **options: Any) -> Any:
        if self.silent == "ls" and path.endswith("/cpu"):
            raise TimeoutError("timed out")
        return super().ls(path, *arguments, **options)


@pytest.mark.parametrize("silent", ["info", "ls"])
def test_a_location_that_does_not_respond_is_not_taken_for_empty(
    silent: str, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_implementation("flaky", _Flaky, clobber=True)
    location = ArtifactLocation(f"flaky://{tmp_path}/kept")
    upload(folder, location)
    monkeypatch.setattr(_Flaky, "silent", silent)
    with pytest.raises(HarnessError) as raised:
        download(RUN_ID, location, tmp_path / "desk")
    assert (raised.value.code, raised.value.params["reason"]) == ("artifacts-unavailable", "timed out")


def test_a_second_fetch_opens_the_fetched_folder(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = ArtifactLocation(str(tmp_path / "kept"))
    upload(folder, location)
    rename = Path.rename

    def rename_late(self: Path, to: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        download(RUN_ID, location, tmp_path / "desk")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", rename_late)
    fetched = download(RUN_ID, location, tmp_path / "desk")
    assert fetched is not None
    assert _files(fetched.path) == _files(folder.path)
    assert [path.name for path in (tmp_path / "desk").iterdir()] == [RUN_ID]


def test_the_folder_of_the_runs_is_rejected_as_location(folder: RunFolder, tmp_path: Path) -> None:
    for url in (f"{tmp_path}/reports", f"file://{tmp_path}/reports"):
        with pytest.raises(HarnessError) as raised:
            upload(folder, ArtifactLocation(url))
        assert raised.value.code == "artifacts-in-reports"


def test_a_server_that_is_down_is_reported_without_the_password(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with ftp_server(tmp_path / "served") as url:
        pass
    with pytest.raises(HarnessError) as raised:
        upload(folder, ArtifactLocation(url))
    assert raised.value.code == "artifacts-unavailable"
    assert "refused" in str(raised.value.params["reason"])
    assert "geh" not in str(raised.value)


class _Loud(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A file system whose errors repeat the URL, as those of some do."""

    cachable = False

    @staticmethod
    def _get_kwargs_from_urls(url: str) -> dict[str, str]:
        return {"url": url}

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(**options)
        user, _, password = url.removeprefix("loud://").rpartition("@")[0].partition(":")
        raise ConnectionError(f"no response from {url} ({unquote(password or user)})")


@pytest.mark.parametrize(
    "userinfo",
    ["ann:s%3Acret", "ann@corp:s%3Acret", ":s%3Acret", "ann:p@s%3Acret", "s%3Acret", "ann:s/cret", "a:#cret"],
)
def test_an_error_that_repeats_the_url_does_not_show_its_password(
    userinfo: str, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_implementation("loud", _Loud, clobber=True)
    monkeypatch.setenv(VARIABLE, f"loud://{userinfo}@host/runs/")
    loud = artifact_location()
    assert loud is not None
    assert str(loud) == "loud://***@host/runs"
    with pytest.raises(HarnessError) as raised:
        upload(folder, loud)
    assert raised.value.code == "artifacts-unavailable"
    assert "no response from" in str(raised.value.params["reason"])
    assert "cret" not in str(raised.value) + repr(loud)


@pytest.mark.parametrize("url", ["ftp://host:21/runs", "memory://bucket/runs", "file:///srv/runs", "/srv/runs"])
def test_a_url_without_credentials_is_shown_unchanged(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, url)
    found = artifact_location()
    assert found is not None
    assert (found.url, str(found)) == (url, url)


@pytest.mark.parametrize(
    ("url", "code", "params"),
    [
        ("s4://bucket", "artifacts-unknown-protocol", {"protocol": "s4"}),
        ("gs://bucket", "artifacts-package-missing", {"package": "gcsfs"}),
        ("s3://bucket", "artifacts-package-missing", {"package": "s3fs"}),
    ],
)
def test_a_location_that_cannot_work_is_rejected_before_anything_runs(
    url: str, code: str, params: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)  # as if it were not installed
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(HarnessError) as raised:
        artifact_location()
    assert (raised.value.code, raised.value.where) == (code, VARIABLE)
    assert params.items() <= raised.value.params.items()


def test_without_the_variable_there_is_no_location(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " ")
    assert artifact_location() is None
