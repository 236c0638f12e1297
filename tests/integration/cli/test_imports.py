"""What a run does not need before its load begins is not loaded before it: users wait for it, and tests hundredfold."""

from __future__ import annotations

import subprocess
import sys

LATER = {"alembic", "jinja2", "locust", "pandas", "plotly", "pyarrow", "scipy"}


def test_a_run_begins_without_what_only_its_report_needs() -> None:
    code = "import sys, harness.cli.run, harness.cli.lines, harness.control.run; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not LATER & set(loaded)
