"""``harness run`` as Locust's users type it."""

from __future__ import annotations

from pathlib import Path

from tests.support.in_process import harness


def test_without_a_scenario_it_takes_the_file_that_locust_takes(tmp_path: Path) -> None:
    missing = harness("run", "--users", "1", cwd=tmp_path)
    assert (missing.exit_code, missing.code) == (2, None)
    (tmp_path / "locustfile.py").write_text("import nowhere\n")
    found = harness("run", "--users", "1", cwd=tmp_path)
    assert (found.exit_code, found.code) == (2, "scenario-import-failed")
    assert found.error is not None
    assert found.error.where == f"{tmp_path}/locustfile.py:1"
