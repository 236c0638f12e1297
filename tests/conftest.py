"""How tests run: side by side (``pytest -n 4``), and the processes that they start at full speed.

Two markers are exceptions. ``alone``: the test reads figures that others beside it would bend. ``traced``: where
coverage is measured, also the processes that this test starts count their lines, which takes half as much time again;
so those do it that together run all that only child processes run.

Counting lines makes Python take twice as long. So it pauses while pytest looks for tests, and in property tests, which
run the same lines again and again; these try the same values in every run, and take the time they need.

Images of containers often set ``PYTHONDONTWRITEBYTECODE``. Each of the thousand processes of a test run would then
compile all that it imports, which takes more CPU than what the tests do. So it does not hold here.

Locust is imported here, unpatched (``tests.support.http.users``), before any test module does it: patched, it would
stop xdist's worker (``LoopExit``).
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import pkgutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, groupby
from pathlib import Path

import pytest
from hypothesis import settings

import harness
from tests.support.http import users
from tests.support.postgresql import postgresql

__all__ = ["postgresql", "users"]

END_TO_END = Path(__file__).parent / "e2e"

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.pop("COLUMNS", None)  # xdist's workers have it
    # Started in the background of a script, or by ``nohup``, a process ignores these, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextmanager
def held(name: str, operation: int) -> Iterator[None]:
    """A lock that all processes of this test run share."""
    run = os.environ["PYTEST_XDIST_TESTRUNUID"]
    with (Path(tempfile.gettempdir()) / f"harness-tests-{run}-{name}.lock").open("w") as file:
        fcntl.flock(file, operation)
        yield


@contextmanager
def turn(alone: bool) -> Iterator[None]:
    """Wait until a test may run: beside others, or with none beside it."""
    if "PYTEST_XDIST_TESTRUNUID" not in os.environ:
        yield
        return
    with ExitStack() as room:
        with held("door", fcntl.LOCK_EX):  # kept by one that waits to be alone: nobody else enters meanwhile
            room.enter_context(held("room", fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


@contextmanager
def untraced() -> Iterator[None]:
    """Processes started here do not see that coverage is measured."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect no garbage meanwhile, nor later walk all that was imported and found. Where lines are counted, pause."""
    gc.disable()
    try:
        with counting_paused(session.config.pluginmanager):
            return (yield)
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def counting_paused(plugins: pytest.PytestPluginManager) -> Iterator[None]:
    """Where lines are counted: import what they are counted of, in one process; pause for a ``with`` block."""
    counting = getattr(plugins.getplugin("_cov"), "cov_controller", None)
    if counting is None or plugins.hasplugin("dsession"):  # (the latter: xdist's workers look for the tests)
        yield
        return
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
        for module in pkgutil.walk_packages(harness.__path__, "harness."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    counting.pause()
    try:
        yield
    finally:
        counting.resume()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that are to be alone come first: later, they would wait for others' long tests to end, and all for them.

    The longest, end to end, come next, dealt out to xdist's workers file by file: each worker is first given a quarter
    of its share of all tests, in their order, and else one would have all of these, and the others wait for it.
    """
    alone: list[pytest.Item] = []
    long: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        if item.get_closest_marker("alone") is not None:
            alone.append(item)
        else:
            (long if item.path.is_relative_to(END_TO_END) else others).append(item)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    hands: list[list[pytest.Item]] = [alone, *([] for _ in range(workers - 1))]
    for number, (_, tests) in enumerate(groupby(long, key=lambda item: item.path), start=1):
        hands[number % workers].extend(tests)
    for hand in hands:
        missing = max(0, len(items) // workers // 4 - len(hand))
        hand.extend(others[:missing])
        del others[:missing]
    items[:] = [*chain.from_iterable(hands), *others]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """The markers hold for a test's fixtures, too."""
    with turn(item.get_closest_marker("alone") is not None), ExitStack() as tracing:
        if item.get_closest_marker("traced") is None:
            tracing.enter_context(untraced())
        if item.get_closest_marker("hypothesis") is not None:
            item.add_marker("no_cover")
        return (yield)
