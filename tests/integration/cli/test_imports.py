"""Processes import only what they need to start: users wait for the rest, and tests a hundred times."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.cli import cli

LATER = {"alembic", "jinja2", "locust", "pandas", "plotly", "pyarrow", "scipy"}
COMMANDS = [f"harness.cli.{name}" for name in cli.list_commands(None)]  # type: ignore[arg-type]  # not used


def loaded_by(modules: str) -> set[str]:
    """The modules that a new process has loaded once it has imported ``modules``."""
    code = f"import sys, {modules}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def packages_of(modules: set[str]) -> set[str]:
    """Those of other projects."""
    return {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)


def test_help_needs_nothing_but_click() -> None:
    loaded = loaded_by("harness.cli, harness.cli.run, harness.cli.bench, harness.cli.gate, harness.cli.worker")
    assert {name for name in packages_of(loaded) if not name.startswith("_")} == {"click", "harness"}
    assert {name for name in loaded if name.startswith("harness.")} == {
        "harness.api",
        "harness.api.options",
        "harness.cli",
        "harness.cli.bench",
        "harness.cli.gate",
        "harness.cli.locust_settings",
        "harness.cli.options",
        "harness.cli.run",
        "harness.cli.std_streams",
        "harness.cli.worker",
        "harness.control",
        "harness.errors",
        "harness.messages",
        "harness.quick_start",
    }


def test_no_command_imports_for_its_help_what_takes_longest() -> None:
    assert not (LATER | {"numpy", "sqlalchemy"}) & loaded_by(", ".join(COMMANDS))


@pytest.mark.slow
def test_a_run_begins_without_what_only_its_report_needs() -> None:
    assert not LATER & loaded_by("harness.cli.run, harness.api.plain_output, harness.api.run, harness.control.run")


@pytest.mark.slow
@pytest.mark.parametrize("process", ["master", "worker"])
def test_a_load_process_starts_without_what_reads_and_reports_runs(process: str) -> None:
    loaded = loaded_by(f"harness.engine.{process}")
    # Locust itself brings Flask and jinja2.
    assert not {"alembic", "pandas", "plotly", "pyarrow", "rich", "scipy", "sqlalchemy"} & loaded
    only_worker = {"harness.control_groups", "harness.cpu_meter"} if process == "worker" else set()
    assert {".".join(name.split(".")[:2]) for name in loaded if name.startswith("harness.")} - only_worker == {
        "harness.cluster",
        "harness.engine",
        "harness.errors",
        "harness.feeders",
        "harness.messages",
        "harness.metrics",
        "harness.open_files",
        "harness.plan",
        "harness.prctl",
        "harness.record",
    }


def test_a_pytest_session_without_a_load_pays_nothing_for_the_plugin() -> None:
    loaded = loaded_by("harness.pytest_plugin")
    assert {name for name in loaded if name.startswith("harness")} == {"harness", "harness.pytest_plugin"}
    assert not {"click", "filelock", "pydantic", "rich"} & loaded
