"""What a run does not need before its load begins is not loaded before it: users wait for it, and tests hundredfold."""

from __future__ import annotations

import subprocess
import sys

LATER = {"alembic", "jinja2", "locust", "pandas", "plotly", "pyarrow", "scipy"}


def loaded_by(modules: str) -> set[str]:
    """The modules that a new process has loaded when it has imported ``modules``."""
    code = f"import sys, {modules}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_a_run_begins_without_what_only_its_report_needs() -> None:
    assert not LATER & loaded_by("harness.cli.run, harness.api.plain_output, harness.api.run, harness.control.run")


def test_a_pytest_session_without_a_load_pays_nothing_for_the_plugin() -> None:
    loaded = loaded_by("harness.pytest_plugin")
    assert {name for name in loaded if name.startswith("harness")} == {"harness", "harness.pytest_plugin"}
    assert not {"click", "filelock", "pydantic", "rich"} & loaded
