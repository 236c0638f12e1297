"""Summaries that no run has made: what a test does not care about is filled in."""

from __future__ import annotations

from typing import Any

from harness.record.summary import Summary


def a_summary(**more: Any) -> Summary:
    """Of a smoke run of 20 s that failed, but for ``more``."""
    given: dict[str, Any] = {
        "run_id": "r",
        "scenario": "flash_sale",
        "profile": "smoke",
        "started_at": "2026-02-02T02:40:00Z",
        "duration_s": 20.0,
        "verdict": "fail",
        "exit_code": 1,
    }
    return Summary(**given | more)
