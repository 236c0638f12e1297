"""No secret stays in a log at a run's end, whatever comes between; where one does, it is said."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.control import redacted_logs
from harness.control.observer import RunObservers
from harness.control.redacted_logs import redact_logs
from harness.record.run_folder import RunFolder

SECRET = "token=s3cr3t of a user\n"


class Said(RunObservers):
    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.messages: list[str] = []
        self._then = then

    def say(self, message: str) -> None:
        self.messages.append(message)
        self._then()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path, "run")
    folder.target_log.write_text(SECRET * 20_000)
    folder.log.write_text(SECRET)
    return folder


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_leaves_no_secret(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacted_logs, "_LONG", 1_000)
    once = iter([interrupt])
    said = Said(lambda: next(once, lambda: None)())
    assert redact_logs(folder, said) == {}
    assert said.messages == [
        "masking target.log (0 MB)",
        "target.log is still being masked (again: leave it unmasked)",
    ]
    assert "s3cr3t" not in folder.target_log.read_text() + folder.log.read_text()


def test_two_signals_leave_one_log_as_it_was_and_say_so(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacted_logs, "_LONG", 1_000)
    twice = iter([interrupt] * 2)
    said = Said(lambda: next(twice, lambda: None)())
    unredacted = redact_logs(folder, said)
    assert unredacted == {"target.log": "target.log is not masked, and secrets may stand in it: interrupted"}
    assert said.messages[2:] == list(unredacted.values())
    assert folder.log.read_text() == "token=*** of a user\n"
    assert folder.target_log.read_text() == SECRET * 20_000
    assert not list(folder.path.glob(".*.masked"))


def test_a_disk_that_is_full_leaves_the_other_log_masked_and_nothing_half_done(folder: RunFolder) -> None:
    said = Said()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        unredacted = redact_logs(folder, said)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert unredacted == {"target.log": "target.log is not masked, and secrets may stand in it: File too large"}
    assert said.messages == list(unredacted.values())
    assert folder.target_log.read_text() == SECRET * 20_000
    assert folder.log.read_text() == "token=*** of a user\n"
    assert not list(folder.path.glob(".*.masked"))
