"""scripts/performance where no run comes to a verdict: it says so, and publishes nothing of another run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.record.run_folder import RunFolder
from tests.support.children import die_with_the_tests, free_port, killed_at_end
from tests.support.command import REPOSITORY

SCENARIO = "from locust import User\nclass Nobody(User):\n    tasks = [print]\n"
PROFILE = '[[phase]]\nkind = "steady"\nusers = 1\nduration = "1s"\n'
HARNESS = str(Path(sys.executable).parent)


def script(folder: Path, *arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    """``scripts/performance ARGUMENTS`` in a folder that has a run, and its report, of the night before."""
    before = RunFolder.create(folder / "reports", "20260101T000000Z-visit-short-0001")
    for stale in (before.plan, before.report, before.path / "comment.md"):
        stale.write_text("{}")
    (folder / "performance").mkdir(exist_ok=True)
    (folder / "performance" / "report.html").write_text("of the night before")
    (folder / "performance" / "notes.txt").write_text("somebody's own")
    (folder / "visit.py").write_text(SCENARIO)
    (folder / "short.toml").write_text(PROFILE)
    return subprocess.run(
        [REPOSITORY / "scripts" / "performance", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")} | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=die_with_the_tests,
    )


@pytest.mark.parametrize("arguments", [(), ("visit.py",)])
def test_without_scenario_and_profile_it_shows_its_usage(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = script(tmp_path, *arguments, path="/usr/bin:/bin")
    assert done.returncode == 2
    assert done.stderr == "usage: scripts/performance SCENARIO PROFILE [options of harness run]\n"


@pytest.mark.parametrize(
    ("wrong", "named"), [("runs", "BASELINE_RUNS=two"), ("folder", "performance/ is not writable")]
)
def test_what_would_fail_after_the_run_is_reported_before_it(
    wrong: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wrong == "runs":
        monkeypatch.setenv("BASELINE_RUNS", "two")
    else:
        (tmp_path / "performance" / "junit.xml").mkdir(parents=True)
    done = script(tmp_path, "visit.py", "short.toml", path="/usr/bin:/bin")  # where there is no harness to run
    assert done.returncode == 2
    assert named in done.stderr


CANCELLED = """\
#!/bin/sh
[ "$1" = run ] || exit 0
trap 'printf "{\\n  \\"run_id\\": \\"20260101T000000Z-visit-short-0001\\",\\n}\\n"; exit 130' TERM
echo up >&2
for _ in $(seq 1000); do sleep 0.02; done
"""


def test_a_job_that_is_cancelled_ends_its_load_and_has_its_report(tmp_path: Path) -> None:
    (tmp_path / "harness").write_text(CANCELLED)
    (tmp_path / "harness").chmod(0o755)
    before = RunFolder.create(tmp_path / "reports", "20260101T000000Z-visit-short-0001")
    before.report.write_text("of what ran")
    job = subprocess.Popen(
        [REPOSITORY / "scripts" / "performance", "visit.py", "short.toml"],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=die_with_the_tests,
    )
    with killed_at_end(job):
        assert job.stderr is not None
        assert job.stderr.readline() == b"up\n"
        job.terminate()
        assert job.communicate(timeout=60)[1] == b""
    assert job.returncode == 130
    assert (tmp_path / "performance" / "report.html").read_text() == "of what ran"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("harness is not there", 127),
        ("another harness is", 4),
        ("the input is wrong", 2),
        ("the target is not there", 4),
    ],
)
def test_where_no_run_comes_to_a_verdict_nothing_is_published(case: str, code: int, tmp_path: Path) -> None:
    path = f"{HARNESS}:/usr/bin:/bin"
    options = ["--host", f"http://127.0.0.1:{free_port()}"]
    if case == "harness is not there":
        path = "/usr/bin:/bin"
    elif case == "another harness is":
        (tmp_path / "harness").write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / "harness").chmod(0o755)
        path = f"{tmp_path}:/usr/bin:/bin"
    elif case == "the input is wrong":
        options.append("--no-such-option")
    done = script(tmp_path, "visit.py", "short.toml", *options, path=path)
    assert done.returncode == code, done.stderr
    assert "There is no verdict" in done.stderr
    assert {left.name for left in (tmp_path / "performance").iterdir()} == {"notes.txt"}
