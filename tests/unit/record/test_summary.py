"""``summary.json``: what a program finds in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.messages import Option, catalogue, message
from tests.support.summaries import a_summary


def test_a_warning_is_in_the_summary_with_its_code_and_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue(), "copy-failed", {"message": "{folder} is not copied; {option}"})
    warning = message("copy-failed", folder=Path("reports"), option=Option("out", 3))
    written = json.loads(a_summary().warned(warning, "another").to_json())
    assert written["warnings"] == [str(warning), "another"]
    assert written["notices"] == [
        {"code": "copy-failed", "params": {"folder": "reports", "option": "--out 3"}, "text": str(warning)}
    ]
