"""What a run writes to may disappear, or be read-only: that is reported, and costs no more than it must."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.control.finalize import conclude
from harness.errors import ExitCode
from harness.plan.model.run import RunPlan
from harness.record.run_folder import RunFolder, marked_as_running, read_model, write_json
from harness.store import open_store
from tests.support.errors import harness_error
from tests.support.plans import steady
from tests.support.recordings import make_environment, record_run
from tests.support.requirements import require_program


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    return tmp_path / "reports"


def test_a_run_whose_store_was_deleted_is_in_a_new_store(reports: Path) -> None:
    folder = record_run(reports, phases=[steady(5, 3)], environment=make_environment())
    with open_store(None, reports) as store:
        (reports / "store.sqlite").unlink()
        summary = conclude(folder, read_model(folder.plan, RunPlan), make_environment(), store)
    assert [warning for warning in summary.warnings if str(reports / "store.sqlite") in warning] == summary.warnings[:1]
    with open_store(None, reports) as store:
        assert store.measured_run(folder.run_id) is not None


def test_a_run_whose_folder_was_deleted_is_broken(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    with harness_error("run-folder-gone") as raised, marked_as_running(folder):
        shutil.rmtree(folder.path)
        write_json(folder.profiles, {})
    assert (raised.value.exit_code, raised.value.where) == (ExitCode.BROKEN, str(folder.path))


@pytest.mark.parametrize("command", ["gate", "report"])
def test_a_run_folder_that_is_read_only_is_wrong_input(command: str, reports: Path) -> None:
    folder = record_run(reports, phases=[steady(5, 3)], environment=make_environment())
    folder.path.chmod(0o555)
    judged = subprocess.run(
        [*_obeying_modes(), sys.executable, "-m", "harness", command, folder.path],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    folder.path.chmod(0o755)
    assert judged.returncode == ExitCode.USAGE
    assert judged.stderr.startswith(f"harness: {folder.path}: ")
    assert not folder.summary.exists()


def _obeying_modes() -> list[str]:
    """Root may write to read-only folders unless it gives up that right."""
    if os.geteuid() != 0:
        return []
    right = "-dac_override"
    return [require_program("setpriv", "util-linux"), "--bounding-set", right, "--inh-caps", right]
