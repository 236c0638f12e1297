"""A command that is mistyped is reported with the one that was meant, as an option is."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli import cli


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("rnu", "No such command 'rnu'. Did you mean 'run'?"),
        ("baselines", "No such command 'baselines'. Did you mean 'baseline'?"),
        ("frobnicate", "No such command 'frobnicate'.\n"),
    ],
)
def test_the_command_that_was_meant_is_named(typed: str, expected: str) -> None:
    done = CliRunner().invoke(cli, [typed, "x.py"])
    assert done.exit_code == 2
    assert f"Error: {expected}" in done.output
