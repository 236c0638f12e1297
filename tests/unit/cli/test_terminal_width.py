"""Without a terminal, tables are as wide as COLUMNS says, or as a log."""

from __future__ import annotations

import pytest

from harness.cli.std_streams import LOG_WIDTH
from harness.cli.terminal import Terminal


@pytest.mark.parametrize(("columns", "width"), [("0", LOG_WIDTH), ("", LOG_WIDTH), ("wide", LOG_WIDTH), ("100", 100)])
def test_a_width_of_nothing_is_no_width(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Terminal(force_terminal=False).width == width
