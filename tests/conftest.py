"""How tests run: in parallel (``pytest -n 4``), with a limit of time that holds whatever they wait for.

A test marked ``alone`` checks figures that parallel tests would distort.

A test that takes too long fails (pytest-timeout, by a signal). One that waits again while it cleans up, or whose other
code catches that, would never end. So its worker ends a minute later, with the stacks of its threads; xdist goes on.

Container images often set ``PYTHONDONTWRITEBYTECODE``. Each of the thousand processes of a test run would then compile
all that it imports, which takes more CPU than the tests themselves. So it is unset here.

Locust is imported here, unpatched (``tests.support.http.users``), before any test module does it: patched, it would
stop xdist's worker (``LoopExit``). The process that starts xdist's workers imports nothing that only tests need.
"""

from __future__ import annotations

import faulthandler
import fcntl
import gc
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path

import pytest

from tests.support.postgresql import postgresql

__all__ = ["postgresql"]

UNIT = Path(__file__).parent / "unit"
STDERR = pytest.StashKey[int]()
"""A descriptor of what pytest does not capture."""


def pytest_configure(config: pytest.Config) -> None:
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        config.stash[STDERR] = os.dup(2)
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.pop("COLUMNS", None)  # xdist's workers have it
    for name in [name for name in os.environ if name.startswith("HARNESS_")]:  # no test may use the developer's store
        del os.environ[name]
    # Started in the background of a script, or by ``nohup``, a process ignores these, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if config.getoption("tx", None) and not hasattr(config, "workerinput"):
        return  # xdist's workers run the tests
    importlib.import_module("tests.support.http.users")
    from hypothesis import settings

    settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=50)
    settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def shared_fork_servers() -> Iterator[None]:
    from tests.support.fork_servers import close_fork_servers

    yield
    close_fork_servers()


@contextmanager
def held(name: str, operation: int) -> Iterator[None]:
    """A lock that all processes of this test run share."""
    run = os.environ["PYTEST_XDIST_TESTRUNUID"]
    with (Path(tempfile.gettempdir()) / f"harness-tests-{run}-{name}.lock").open("w") as file:
        fcntl.flock(file, operation)
        yield


@contextmanager
def turn(alone: bool) -> Iterator[None]:
    """Wait until a test may run, in parallel with others or alone."""
    if "PYTEST_XDIST_TESTRUNUID" not in os.environ:
        yield
        return
    with ExitStack() as room:
        with held("door", fcntl.LOCK_EX):  # held by a test that waits to be alone, so that no other starts meanwhile
            room.enter_context(held("room", fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage meanwhile, nor later walk all that was imported and found."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``alone`` come first: later, they would wait for other long tests to end, and all tests for them.

    Each of xdist's workers is first given an equal share of all, in this order, and later takes over the end of what
    another has not begun. Unit tests compute, while most others wait: each share has both, in turns, so that the cores
    are never short of work. Files of the latter stay whole, as their tests share what is started for the first of them.
    """
    alone, waiting, computing = (list[pytest.Item]() for _ in range(3))
    for item in items:
        if item.get_closest_marker("alone") is not None:
            alone.append(item)
        else:
            (computing if item.path.is_relative_to(UNIT) else waiting).append(item)
    files = [list(tests) for _, tests in groupby(waiting, key=lambda item: item.path)]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    dealt = alone
    for worker in range(workers):
        own = files[worker::workers]
        missing = len(items) * (worker + 1) // workers - len(dealt) - sum(map(len, own))
        filling, computing = computing[: max(0, missing)], computing[max(0, missing) :]
        for place, file in enumerate([*own, []]):
            between = slice(*(len(filling) * part // (len(own) + 1) for part in (place, place + 1)))
            dealt += [*filling[between], *file]
    items[:] = [*dealt, *computing]


def end_after(timeouts: float, config: pytest.Config) -> None:
    """Ends this process in so many times of what a test may take, if nothing else is said before."""
    seconds = timeouts * float(config.getini("timeout"))
    faulthandler.dump_traceback_later(seconds, file=config.stash[STDERR], exit=True)


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Where a test fails, pytest forgets what ``faulthandler`` was to do. Its fixtures have still to end."""
    if isinstance(node, pytest.Item):
        end_after(1.2, node.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Its fixtures run in its turn, too."""
    end_after(6, item.config)
    try:
        with turn(item.get_closest_marker("alone") is not None):
            end_after(1.2, item.config)
            return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """A test that leaves an event loop that reads no responses fails itself, and not all that follow it."""
    from tests.support import event_loop

    yield
    if not event_loop.is_sound():
        pytest.fail(f"{item.name} leaves an event loop that reads no responses, or sends no requests", pytrace=False)
