"""What a user can get wrong is reported in one message with file, line or key and what would be right; exit code 2."""

from __future__ import annotations

import errno
import os
import resource
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.errors import problems_of
from harness.record.run_folder import marked_as_running
from tests.support import in_process
from tests.support.recordings import record_run

SCENARIO = """
    from locust import task
    from harness import HttpUser, gate, ramp, steady

    class Someone(HttpUser):
        @task
        def look(self):
            self.client.get("/products")

    phases = [steady(users=2, hold="2s")]
    target = "shop"
"""


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (["run", f"{'x' * 5000}.py"], 2, f"{'x' * 50}"),
        (["run", "scenario.py", "--profile", "x" * 5000], 2, f"{'x' * 50}"),
        (["run", "scenario.py", "--target", "\udcff"], 2, r"'\udcff'"),
        (["run", "\udcff.py"], 2, r"'\udcff.py'"),
        (["gate", "\x1b[31mred\x1b]0;title\x07"], 2, "harness: red: "),
        (["run", "scenario.py", "--host", "http://127.0.0.1:9"], 4, "harness: http://127.0.0.1:9: "),
    ],
)
def test_wrong_words_are_reported(arguments: list[str], code: int, shown: str, tmp_path: Path) -> None:
    written(tmp_path, "scenario.py", SCENARIO)
    result = in_process.harness(*arguments, cwd=tmp_path)
    assert (result.exit_code, result.out) == (code, "")
    assert shown in result.err
    assert "\x1b" not in result.err


@pytest.mark.parametrize(
    ("arguments", "where", "code", "params"),
    [
        (["run", "nothing.py"], "nothing.py", "scenario-not-found", {}),
        (["run", "scenario.py", "--profile", "smok"], "--profile", "profile-not-found", {"name": "smok"}),
        (
            ["run", "scenario.py", "--set", "phase.steady.hodl=3s"],
            "--set phase.steady.hodl=3s",
            "unknown-key",
            {"word": "hodl"},
        ),
        (
            ["run", "scenario.py", "--pid", "1", "--workers", "0"],
            "--workers",
            "workers-out-of-range",
            {"count": 0, "least": 1},
        ),
        (["gate", "nowhere"], "nowhere", "run-not-found", {}),
        (["report", "latest"], "reports", "no-run-yet", {}),
    ],
)
def test_the_first_problem_is_named_with_its_place(
    arguments: list[str], where: str, code: str, params: dict[str, object], in_a_folder: Path
) -> None:
    written(in_a_folder, "scenario.py", SCENARIO)
    error = in_process.harness(*arguments).error
    assert error is not None
    problem = problems_of(error)[0]
    assert (error.exit_code, problem.code, problem.where) == (2, code, where)
    assert params.items() <= problem.params.items()
    assert not list(in_a_folder.glob("reports/*/plan.json"))


def test_a_damaged_project_file_is_named_although_locust_reads_it_too(in_a_folder: Path) -> None:
    written(in_a_folder, "scenario.py", SCENARIO)
    written(in_a_folder, "pyproject.toml", "[tool.harness")
    error = in_process.harness("run", "scenario.py").error
    assert error is not None
    assert (error.exit_code, error.code, error.where) == (2, "toml-invalid", "pyproject.toml:1")


@pytest.mark.parametrize(("arguments", "shown"), [(["run"], "'SCENARIO'"), (["frobnicate"], "'frobnicate'")])
def test_a_usage_error_names_what_is_missing_or_unknown(arguments: list[str], shown: str) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert (done.exit_code, shown in done.output) == (2, True)


@pytest.mark.slow
def test_a_target_that_never_gets_healthy_is_broken_and_shows_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "scenario.py", SCENARIO)
    monkeypatch.setenv("SHOP_DEFECTS", "slow_serch")
    misspelt = in_process.harness("run", "scenario.py", cwd=tmp_path)
    assert misspelt.exit_code == 4
    assert "slow_serch" in misspelt.err


def test_a_damaged_run_folder_is_reported_by_file(tmp_path: Path) -> None:
    folder = record_run(tmp_path / "reports").path
    journal = folder / "journal"
    whole = journal.read_bytes()
    for name, damaged in {"journal": whole[:200] + b"\x00" * 50 + whole[250:], "plan.json": b"{"}.items():
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(damaged)
        result = in_process.harness("gate", folder.name, cwd=tmp_path)
        assert result.exit_code == 2, result.err
        assert name in result.err
        (folder / name).write_bytes(kept)
    shutil.rmtree(folder / "cpu", ignore_errors=True)
    assert in_process.harness("gate", folder.name, cwd=tmp_path).exit_code in (0, 1, 3)


@pytest.mark.parametrize("command", [["gate"], ["report"], ["baseline", "set"]])
def test_a_run_in_progress_is_not_judged_as_a_killed_one(command: list[str], tmp_path: Path) -> None:
    folder = record_run(tmp_path / "reports")
    folder.summary.unlink(missing_ok=True)
    with marked_as_running(folder):
        result = in_process.harness(*command, "latest", cwd=tmp_path)
    assert (result.exit_code, result.code) == (2, "run-not-ended"), result.err
    assert not folder.summary.exists()


def test_a_limit_of_the_machine_is_one_message(tmp_path: Path) -> None:
    folder = record_run(tmp_path / "reports")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        result = in_process.harness("report", folder.run_id, cwd=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert (result.exit_code, "Traceback" in result.err) == (4, False), result.err
    assert os.strerror(errno.EFBIG) in result.err


def test_a_damaged_store_is_reported_before_any_load(tmp_path: Path) -> None:
    written(tmp_path, "scenario.py", SCENARIO)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "store.sqlite").write_bytes(b"this is no database" * 100)
    result = in_process.harness("run", "scenario.py", cwd=tmp_path)
    assert result.exit_code == 2
    assert "store.sqlite" in result.err
    assert not list((tmp_path / "reports").glob("*/plan.json"))


@pytest.mark.parametrize("url", ["sqlite:///nul%00.db", "sqlite:///store.db?timeout=abc"])
def test_an_impossible_store_url_is_reported(url: str, tmp_path: Path) -> None:
    result = in_process.harness("baseline", "list", store=url, cwd=tmp_path)
    assert result.exit_code == 2
    assert result.err.startswith("harness: ")
    assert "Traceback" not in result.err


def test_a_setting_that_is_not_utf8_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_HOST", "http://\udcff")
    result = in_process.harness("runs", cwd=tmp_path)
    assert (result.exit_code, result.err.count("HARNESS_HOST")) == (2, 1), result.err


def test_a_current_folder_that_is_gone_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {shlex.quote(str(gone))}; rmdir {shlex.quote(str(gone))}; exec {shlex.quote(sys.executable)}"
    result = subprocess.run(
        ["bash", "-c", f"{command} -m harness doctor"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
    assert result.stderr.startswith("harness: ")


def test_an_output_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    written(tmp_path, "scenario.py", SCENARIO)
    (tmp_path / "taken").write_text("a file")
    result = in_process.harness("run", "scenario.py", "--out", "taken/below", cwd=tmp_path)
    assert result.exit_code == 2
    assert "taken" in result.err


@pytest.mark.parametrize("command", ["run", "gate", "report", "baseline", "doctor"])
def test_help_is_there_for_every_command(command: str) -> None:
    shown = CliRunner().invoke(cli, [command, "--help"], prog_name="harness")
    assert (shown.exit_code, f"harness {command}" in shown.stdout) == (0, True)
