"""An error in user code is reported with its last line in the scenario, whatever it is."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from harness.engine.scenario.child_result import locate, one_line


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("import nonexistent_module", "ModuleNotFoundError: No module named 'nonexistent_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def (", "not valid Python: "),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import json; json.loads('{')", "JSONDecodeError: Expecting property name enclosed in double quotes"),
    ],
)
def test_an_error_on_import_has_its_line_in_the_scenario(line: str, error: str, tmp_path: Path) -> None:
    path = tmp_path / "scenario.py"
    path.write_text(f"import os\n{line}\n")
    with pytest.raises(BaseException) as raised:  # noqa: PT011  (of any kind)
        runpy.run_path(str(path))
    located = locate(raised.value, path)
    assert located.location == f"{path}:2"
    assert located.error.startswith(error)


def test_what_user_code_says_is_one_line_of_utf_8_and_cut() -> None:
    said = one_line("first\nsecond \udc80 " + "x" * 5000)
    assert said.startswith("first second ? xxx")
    assert said.endswith("x…")
    assert len(said) == 500
