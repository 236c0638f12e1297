"""A run folder is kept at any kind of place, and comes back from there byte by byte; faults name the place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fsspec import AbstractFileSystem, register_implementation
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from harness.errors import HarnessError
from harness.record.run_folder import RunFolder
from harness.record.running import LOCK
from harness.store.artifacts import VARIABLE, ArtifactLocation, download, forget, is_at, place, remove, upload
from tests.support.ftp import PASSWORD, ftp_server

RUN_ID = "20260202T090000Z-flash_sale-nightly-00a1"


@pytest.fixture(params=["directory", "file", "memory", "ftp"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArtifactLocation]:
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


def test_a_run_goes_there_comes_back_whole_and_is_removed(
    kept: ArtifactLocation, folder: RunFolder, tmp_path: Path
) -> None:
    (folder.path / "an older run's").touch()
    location = upload(folder, kept)
    (folder.path / "an older run's").unlink()
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
    forget(location)
    forget(location)
    with pytest.raises(HarnessError, match="neither the copy nor the receipt of it"):
        remove(location, RUN_ID)


def test_a_copy_that_was_cut_off_is_no_run(folder: RunFolder, tmp_path: Path) -> None:
    to = ArtifactLocation(str(tmp_path / "kept"))
    in_the_way = Path(to.location(RUN_ID)) / "summary.json"
    in_the_way.mkdir(parents=True)
    with pytest.raises(HarnessError, match="cannot be used"):
        upload(folder, to)
    assert (in_the_way.parent / "empty").exists()
    assert download(to.location(RUN_ID), tmp_path / "elsewhere") is None


@pytest.mark.parametrize("step", ["replace", "remove"])
def test_a_copy_that_was_replaced_or_removed_in_part_is_no_run(
    step: str, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = ArtifactLocation(f"cut://{tmp_path}/kept")
    register_implementation("cut", _Cut, clobber=True)
    location = upload(folder, to)
    assert download(location, tmp_path / "whole") is not None
    monkeypatch.setattr(_Cut, "cut", True)
    with pytest.raises(HarnessError, match="cut off"):
        upload(folder, to) if step == "replace" else remove(location, RUN_ID)
    assert download(location, tmp_path / "elsewhere") is None
    assert (tmp_path / "kept" / RUN_ID / "summary.json").exists()
    monkeypatch.setattr(_Cut, "cut", False)
    assert remove(location, RUN_ID)
    assert not remove(location, RUN_ID)


class _Cut(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A directory that goes away when much is to be done."""

    protocol = "cut"
    cut = False

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return [cls._strip_protocol(one) for one in path] if isinstance(path, list) else path.removeprefix("cut://")

    def put(self, *arguments: Any, **options: Any) -> None:
        self._fail()
        super().put(*arguments, **options)

    def rm(self, *arguments: Any, **options: Any) -> None:
        self._fail()
        super().rm(*arguments, **options)

    def _fail(self) -> None:
        if self.cut:
            raise OSError("cut off")


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_of_a_place_that_is_not_here_nothing_is_known(form: str, folder: RunFolder, tmp_path: Path) -> None:
    there = tmp_path / "mounted"
    to = ArtifactLocation(form.format(there))
    location = upload(folder, to)
    there.rename(tmp_path / "elsewhere")
    for _ in ("another machine", "a disk that is not mounted"):
        with pytest.raises(HarnessError, match="the place of this copy is not here"):
            remove(location, RUN_ID)
        there.mkdir(exist_ok=True)
    there.rmdir()
    (tmp_path / "elsewhere").rename(there)
    assert remove(location, RUN_ID)


def test_a_place_that_has_other_copies_is_not_taken_for_the_one_of_this(folder: RunFolder, tmp_path: Path) -> None:
    to = ArtifactLocation(str(tmp_path / "kept"))
    earlier = RunFolder.create(tmp_path / "earlier", RUN_ID.replace("2026", "2025"))
    earlier.plan.touch()
    upload(earlier, to)  # while the disk is away: into the mount point
    (tmp_path / "kept").rename(tmp_path / "below the mount")
    location = upload(folder, to)
    (tmp_path / "kept").rename(tmp_path / "disk")
    (tmp_path / "below the mount").rename(tmp_path / "kept")
    with pytest.raises(HarnessError, match="the place of this copy is not here") as told:
        remove(location, RUN_ID)
    assert str(told.value).endswith(f"--gone {tmp_path}/kept")
    assert (tmp_path / "disk" / RUN_ID / "plan.json").exists()


def test_a_copy_of_an_older_version_has_a_receipt_from_its_removal_on(folder: RunFolder, tmp_path: Path) -> None:
    to = ArtifactLocation(str(tmp_path / "kept"))
    location = upload(folder, to)
    (tmp_path / "kept" / f".{RUN_ID}.harness").unlink()
    assert remove(location, RUN_ID)
    assert not remove(location, RUN_ID)  # what was cut off before its row was gone


def test_who_may_make_a_copy_may_make_its_receipt(folder: RunFolder, tmp_path: Path) -> None:
    """A directory that several users write to: nothing of one user's is in the way of another."""
    kept = tmp_path / "kept"
    (kept / RUN_ID).mkdir(parents=True)
    upload(folder, ArtifactLocation(str(kept)))
    assert {path.name for path in kept.iterdir()} == {RUN_ID, f".{RUN_ID}.harness"}


@pytest.mark.parametrize(
    ("location", "where", "there"),
    [
        ("ftp://ann@host/runs/X", "ftp://***@host/runs", True),
        ("ftp://host/runs/X", "ftp://ann:word@host/runs/", True),
        ("ftp://host/runs-2/X", "ftp://host/runs", False),
        ("ftp://ann@host/runs/X", "ftp://ann:word@host/runs", True),
        ("ftp://ann@host/runs/X", "ftp://bob@host/runs", False),
        ("abfs://one@account/runs/X", "abfs://two@account/runs", False),
        ("/srv/runs/X", "/srv/runs", True),
        ("/srv/runs/X", "/srv", True),
        ("/srv/runs/X", "/srv/other", False),
    ],
)
def test_a_place_is_the_same_by_any_name_and_password(location: str, where: str, there: bool) -> None:
    assert is_at(location, where) is there


class _Blips(LocalFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A directory that does not always answer."""

    protocol = "blips"
    silent = ""

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path.removeprefix("blips://")

    def info(self, path: str, **options: Any) -> Any:
        if self.silent == "info":
            raise TimeoutError("timed out")
        return super().info(path, **options)

    def ls(self, path: str, *arguments: Any, **options: Any) -> Any:
        if self.silent == "ls" and path.endswith("/cpu"):
            raise TimeoutError("timed out")
        return super().ls(path, *arguments, **options)


@pytest.mark.parametrize("silent", ["info", "ls"])
def test_what_does_not_answer_is_not_taken_for_missing(
    silent: str, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_implementation("blips", _Blips, clobber=True)
    to = ArtifactLocation(f"blips://{tmp_path}/kept")
    location = upload(folder, to)
    with monkeypatch.context() as patch:
        patch.setattr(_Blips, "silent", silent)
        with pytest.raises(HarnessError, match="timed out"):
            download(location, tmp_path / "desk")
        with pytest.raises(HarnessError, match="timed out"):
            upload(folder, to) if silent == "ls" else remove(location, RUN_ID)
    assert download(location, tmp_path / "desk") is None or silent == "info"
    assert remove(location, RUN_ID)


def test_who_fetches_second_opens_what_is_there(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = ArtifactLocation(str(tmp_path / "kept"))
    location = upload(folder, to)
    rename = Path.rename

    def rename_late(self: Path, to: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        download(location, tmp_path / "desk")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", rename_late)
    fetched = download(location, tmp_path / "desk")
    assert fetched is not None
    assert _files(fetched.path) == _files(folder.path)
    assert [path.name for path in (tmp_path / "desk").iterdir()] == [RUN_ID]


def test_only_a_copy_of_that_run_is_removed(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="this is no copy of run"):
        remove(str(tmp_path / "reports"), RUN_ID)
    with pytest.raises(HarnessError, match="this is no copy of run"):
        remove(f"{tmp_path}/reports/..", "..")
    assert folder.plan.exists()


def test_the_runs_own_folder_is_no_place_for_its_copy(folder: RunFolder, tmp_path: Path) -> None:
    for url in (f"{tmp_path}/reports", f"file://{tmp_path}/reports"):
        with pytest.raises(HarnessError, match="would be the run folder itself"):
            upload(folder, ArtifactLocation(url))


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
    assert str(told.value).startswith(f"{gone.shown}/{RUN_ID}: the place for run folders cannot be used:")
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
        user, _, password = url.removeprefix("loud://").rpartition("@")[0].partition(":")
        raise ConnectionError(f"nobody answers at {url} ({unquote(password or user)})")


@pytest.mark.parametrize("userinfo", ["ann:s%3Acret", "ann@corp:s%3Acret", ":s%3Acret", "ann:p@s%3Acret", "s%3Acret"])
def test_a_fault_that_repeats_the_url_does_not_show_its_password(
    userinfo: str, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_implementation("loud", _Loud, clobber=True)
    monkeypatch.setenv(VARIABLE, f"loud://{userinfo}@host/runs/")
    loud = place()
    assert loud is not None
    shown = f"loud://***@host/runs/{RUN_ID}"
    assert loud.location(RUN_ID) == f"loud://{userinfo.partition(':')[0]}@host/runs/{RUN_ID}"
    assert loud.shown == "loud://***@host/runs"
    with pytest.raises(HarnessError) as told:
        upload(folder, loud)
    assert str(told.value).startswith(f"{shown}: the place for run folders cannot be used: nobody answers")
    assert f"at loud://***@host/runs/{RUN_ID} (" in str(told.value)
    assert "cret" not in str(told.value)
    with pytest.raises(HarnessError) as told:  # as an older harness noted it
        remove(f"loud://{userinfo}@host/runs/{RUN_ID}", RUN_ID)
    assert "cret" not in str(told.value)


class _Lockers(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A kind of place whose user, by a password, has a folder of his own."""

    protocol = "lockers"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        user, _, inside = path.removeprefix("lockers://").partition("@host")
        return f"/{user}{inside}" if inside else super()._strip_protocol(path)


@pytest.mark.parametrize("password", ["", ":word"])
def test_the_places_of_two_users_are_two(
    password: str, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_implementation("lockers", _Lockers, clobber=True)
    locations = []
    for user in ("ann", "bob"):
        monkeypatch.setenv(VARIABLE, f"lockers://{user}{password}@host/runs")
        to = place()
        assert to is not None
        locations.append(upload(folder, to))
    assert locations == [f"lockers://{user}@host/runs/{RUN_ID}" for user in ("ann", "bob")]
    assert remove(locations[1], RUN_ID)
    assert not remove(locations[1], RUN_ID)
    monkeypatch.setenv(VARIABLE, f"lockers://ann{password}@host/runs")
    assert download(locations[0], tmp_path / "desk") is not None


def test_a_copy_that_was_noted_without_a_user_is_opened_as_ones_own(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with ftp_server(tmp_path / "served") as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, url)
        location = upload(folder, ArtifactLocation(url))
        assert download(location.replace("ann@", ""), tmp_path / "desk") is not None  # as older versions noted it
        with pytest.raises(HarnessError, match="by another user than the one in HARNESS_ARTIFACTS"):
            download(location.replace("ann@", "bob@"), tmp_path / "desk")


@pytest.mark.parametrize(
    "url",
    ["sftp://ann:s/cret@host/runs", "sftp://ann@corp:s/cret@host", "sftp://ann:7/cret@host", "ftp://a:#cret@host/x"],
)
def test_a_url_whose_password_cannot_be_told_is_refused_and_not_shown(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, url.replace("sftp", "ftp"))
    with pytest.raises(HarnessError) as told:
        place()
    assert f"{VARIABLE}: it cannot be told where the password of this URL ends" in str(told.value)
    assert "cret" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host:21/runs",
        "ftp://ann@host:21/of/ann@corp",
        "memory://container@account.dfs/runs",
        "memory://bucket/ann@corp",
        "file:///srv/ann@corp",
    ],
)
def test_what_is_no_password_in_a_url_stays_in_the_store(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, url)
    found = place()
    assert found is not None
    assert (found.url, found.location("run")) == (url, f"{url}/run")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s4://bucket", "no kind of place is called 's4'"),
        ("gs://bucket", "gs:// needs a package that is missing: "),
        ("gs://bucket", "uv pip install gcsfs (or: pip install gcsfs)"),
        ("s3://bucket", "uv sync --extra s3 (in a project of your own: uv add --dev harness --extra s3)"),
    ],
)
def test_a_place_that_cannot_be_is_told_before_anything_runs(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)  # Python's way to say: this cannot be imported
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(HarnessError) as told:
        place()
    assert str(told.value).startswith(f"{VARIABLE}: ")
    assert message in str(told.value)


def test_without_the_variable_nothing_is_kept_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " ")
    assert place() is None
