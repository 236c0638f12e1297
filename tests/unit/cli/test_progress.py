"""Which observer suits which standard error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.api.plain_output import PlainOutput
from harness.cli.live import LiveView
from harness.cli.run import make_observer


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, **environment: str | None) -> Iterator[None]:
    """Standard error is a terminal. (Not a fixture: pytest puts its own standard error in place after those.)"""
    master, slave = os.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        for name, value in {"TERM": "xterm-256color", "CI": None, **environment}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        yield
        monkeypatch.undo()
    os.close(master)


@pytest.mark.parametrize("ci", [None, "", "false"])
def test_a_terminal_gets_the_live_view(monkeypatch: pytest.MonkeyPatch, ci: str | None) -> None:
    with terminal(monkeypatch, CI=ci), make_observer() as observer:
        assert isinstance(observer, LiveView)


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": None}, {"CI": "true"}, {"CI": "1"}])
def test_a_terminal_that_cannot_or_shall_not_gets_lines(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str | None]
) -> None:
    with terminal(monkeypatch, **environment), make_observer() as observer:
        assert isinstance(observer, PlainOutput)


def test_a_pipe_gets_lines() -> None:
    with make_observer() as observer:
        assert isinstance(observer, PlainOutput)
