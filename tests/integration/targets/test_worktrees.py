"""Worktrees of two commits: they hold what was committed, and nothing of them is left, not even by a killed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.targets.worktrees import two_builds

KILLED = "import os, signal; from harness.targets.worktrees import two_builds\n"
KILLED += "with two_builds('v1', uncommitted=False): os.kill(os.getpid(), signal.SIGKILL)"


def git(project: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    done = subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two commits; the current folder is one in it."""
    temporary, folder = tmp_path / "temporary", tmp_path / "project"
    temporary.mkdir()
    (folder / "service").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    git(folder, "init", "--quiet")
    for version in ("v1", "v2"):
        (folder / "service" / "app.py").write_text(version)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", version)
        git(folder, "tag", version)
    monkeypatch.chdir(folder / "service")
    return folder


def left(project: Path) -> tuple[list[Path], int]:
    """The contents of the folder for temporary files, and the number of the project's further worktrees."""
    worktrees = git(project, "worktree", "list", "--porcelain").count("worktree ")
    return list((project.parent / "temporary").iterdir()), worktrees - 1


def test_each_build_has_the_files_of_its_commit_and_nothing_is_left(project: Path) -> None:
    with two_builds("v1", uncommitted=False) as (a, b):
        assert [(build.folder / "app.py").read_text() for build in (a, b)] == ["v1", "v2"]
        assert {build.folder.name for build in (a, b)} == {"service"}
        assert [
            git(project, "rev-parse", "--short=12", name) in build.revision for name, build in (("v1", a), ("v2", b))
        ]
        (b.folder / "built").write_text("what a build leaves in its folder")
        assert left(project)[1] == 2
    assert left(project) == ([], 0)


def test_changes_are_measured_only_if_asked_for_and_stay_as_they_are(project: Path) -> None:
    (project / "service" / "app.py").write_text("v3")
    with pytest.raises(HarnessError) as raised, two_builds("v1", uncommitted=False):
        pass
    assert (raised.value.code, raised.value.params["files"]) == ("duet-uncommitted", ["service/app.py"])
    with two_builds("v2", uncommitted=True) as (a, b):
        assert [(build.folder / "app.py").read_text() for build in (a, b)] == ["v2", "v3"]
    assert (project / "service" / "app.py").read_text() == "v3"
    assert git(project, "stash", "list") == ""
    assert left(project) == ([], 0)


@pytest.mark.slow
def test_what_a_killed_run_left_is_removed_by_the_next_and_nothing_of_a_running_one(project: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [len(left(project)[0]), left(project)[1]] == [1, 2]
    with two_builds("v1", uncommitted=False) as (a, _):
        assert [len(left(project)[0]), left(project)[1]] == [1, 2]
        with two_builds("v1", uncommitted=False):
            assert (a.folder / "app.py").exists()
    assert left(project) == ([], 0)


def test_a_checkout_that_was_cut_off_is_removed(project: Path) -> None:
    with two_builds("v1", uncommitted=False) as (a, _):
        git(project, "worktree", "lock", str(a.folder.parent))  # as git does until all files are there
    assert left(project) == ([], 0)


@pytest.mark.slow
def test_a_base_that_cannot_be_checked_out_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def code(base: str) -> str:
        with pytest.raises(HarnessError) as raised, two_builds(base, uncommitted=False):
            pass
        assert raised.value.exit_code == 2
        return raised.value.code

    assert code("v9") == code("--all") == "duet-base-unknown"
    (project / "new").mkdir()
    (project / "new" / "app.py").touch()
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "new")
    monkeypatch.chdir(project / "new")
    assert code("v1") == "duet-folder-not-in-build"
    assert left(project) == ([], 0)
    monkeypatch.chdir(project.parent)
    assert code("v1") == "duet-without-git"
    monkeypatch.setenv("PATH", os.devnull)
    assert code("v1") == "duet-without-git"
