"""Tests run side by side (``pytest -n 3``), but for those marked ``alone``: these read figures others would bend.

Property tests try the same values in every run, and take the time they need on a busy machine.
"""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Started in the background of a script, a process ignores SIGINT, and hands that on to those it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def held(name: str, operation: int) -> Iterator[None]:
    """A lock that all processes of this test run share."""
    run = os.environ["PYTEST_XDIST_TESTRUNUID"]
    with (Path(tempfile.gettempdir()) / f"harness-tests-{run}-{name}.lock").open("w") as file:
        fcntl.flock(file, operation)
        yield


@pytest.fixture(autouse=True)
def turn(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wait until this test may run: beside others, or with none beside it where it is marked ``alone``."""
    if "PYTEST_XDIST_TESTRUNUID" not in os.environ:
        yield
        return
    alone = request.node.get_closest_marker("alone") is not None
    with held("door", fcntl.LOCK_EX):  # kept by one that waits to be alone: nobody else enters meanwhile
        room = held("room", fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        room.__enter__()
    try:
        yield
    finally:
        room.__exit__(None, None, None)
