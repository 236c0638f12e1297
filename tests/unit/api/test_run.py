"""The arguments of ``harness.run``: what a call states is what the command line's options would."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import harness
from harness.api.run import _overrides
from harness.control.interrupts import Interrupts


def test_what_is_set_is_a_text_or_a_key_with_its_value() -> None:
    assert _overrides({"phase.steady.duration": "30s", "sampling.memory": False}) == (
        ("phase.steady.duration", "30s"),
        ("sampling.memory", False),
    )
    assert _overrides("workers=2") == ("workers=2",)
    assert _overrides(["a=1", "b=2"]) == ("a=1", "b=2")


def test_wrong_input_is_reported_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(harness.HarnessError) as raised:
        harness.run("nothing.py")
    assert (raised.value.code, raised.value.where) == ("scenario-not-found", "nothing.py")
    assert not list(tmp_path.iterdir())


def test_signals_are_the_main_threads() -> None:
    """Elsewhere Python handles none, and a program that runs a load there keeps its own."""
    counted: list[int] = []

    def elsewhere() -> None:
        with Interrupts() as interrupts:
            counted.append(interrupts.count)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert counted == [0]
