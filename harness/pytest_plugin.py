"""The pytest plugin: the fixture ``load_test``, the marker ``performance``, and what a failed verdict tells.

It is loaded into every pytest run where harness is installed, so nothing else of harness is imported before a test asks
for a load.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from harness.api.result import Run

_MARKER = "performance"
_PROPERTY = "load_test"
"""Under this name a test's report holds each run: status, and the path of its ``report.html``. So it gets from
xdist's workers to where the summary is printed, and into ``--junit-xml``."""


class LoadTest(Protocol):
    """What the fixture ``load_test`` is: takes the arguments of :func:`harness.run`, and returns its result."""

    def __call__(self, scenario: str | Path, arguments: str | Sequence[str] = (), **options: Any) -> Run: ...


class _Loads:
    """The runs of this process: which there were, and which of them the test at hand has made."""

    def __init__(self) -> None:
        self.all: list[Run] = []
        self.untold: list[Run] = []

    def add(self, run: Run) -> None:
        self.all.append(run)
        self.untold.append(run)


_LOADS = pytest.StashKey[_Loads]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LOADS] = _Loads()
    config.addinivalue_line("markers", f"{_MARKER}: puts load on a target; tests that use load_test have it")


def pytest_itemcollected(item: pytest.Item) -> None:
    if "load_test" in getattr(item, "fixturenames", ()):
        item.add_marker(_MARKER)


@pytest.fixture(scope="session")
def load_test(pytestconfig: pytest.Config) -> LoadTest:
    """Put load on a target: ``run = load_test("scenarios/flash_sale.py", profile="smoke")``.

    Takes the arguments of ``harness.run`` and returns its ``Run``; ``assert run.verdict.passed`` tells each gate's
    message. One load at a time: the others wait, in whatever process of this user they are. Paths are relative to
    pytest's root folder, where ``reports/`` is made.
    """

    def load(scenario: str | Path, arguments: str | Sequence[str] = (), **options: Any) -> Run:
        __tracebackhide__ = True
        import harness
        from harness.plan.config_source import shown_path

        root = pytestconfig.rootpath
        options["out"] = root / options.get("out", "reports")
        profile = str(options.get("profile") or "")
        if profile.endswith(".toml") or "/" in profile:
            options["profile"] = shown_path(root / profile)
        files = ",".join(shown_path(root / file) for file in str(scenario).split(","))
        loads = pytestconfig.stash[_LOADS]
        try:
            run = harness.run(files, arguments, **{"watcher": harness.LineWatcher(), "turn": _only_load(), **options})
        except harness.HarnessError as fault:
            raise pytest.fail.Exception(str(fault), pytrace=False) from None
        except harness.RunInterrupted as stopped:
            loads.add(stopped.run)
            raise
        loads.add(run)
        return run

    return load


@contextmanager
def _only_load() -> Iterator[None]:
    """A lock that this user's processes share: two loads on one machine would measure one another.

    The kernel frees it with the process that holds it, however that ends. Raises ``HarnessError`` where there is no
    folder for it that is this user's alone.
    """
    from filelock import FileLock, Timeout

    from harness.errors import HarnessError

    folder = None
    try:
        folder = _own_folder()
        lock = FileLock(folder / "load.lock", mode=0o600)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            print("waiting until another load of this user has ended", file=sys.stderr)  # for whom the wait is too long
            lock.acquire()
    except OSError as fault:
        raise HarnessError(
            f"loads cannot wait for one another: {fault.strerror or fault}",
            where=str(fault.filename or folder or "the folder of this user's runtime files"),
            hint="Let XDG_RUNTIME_DIR name a folder of yours that nobody else can write to (mode 0700).",
        ) from fault
    try:
        yield
    finally:
        lock.release()


def _own_folder() -> Path:
    """Where this user keeps what lasts as long as the machine runs: ``$XDG_RUNTIME_DIR``, else ``/run/user/UID``.

    In a shared folder another user could have put something else under the lock's name. Raises ``OSError`` where there
    is no folder that nobody else can write to.
    """
    from platformdirs import user_runtime_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a machine without such folders gets one below the temporary one
        return user_runtime_path("harness", ensure_exists=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Before pytest draws the failure: its message. With the report: the runs that the test has made."""
    loads = item.config.stash[_LOADS]
    if call.excinfo is not None and isinstance(call.excinfo.value, AssertionError):
        _explain(call.excinfo.value, loads)
    item.user_properties += [(_PROPERTY, _line(run)) for run in loads.untold]
    loads.untold.clear()
    return (yield)


def _explain(error: AssertionError, loads: _Loads) -> None:
    """Put the verdict's own words before an assertion about it.

    pytest shows the verdict in its explanation of the assertion, ``where False = <fail: …>.passed``, but not whole.
    Where assertions are not explained (``--assert=plain``), it is about what the test itself has made.
    """
    shown = str(error)
    meant = [run for run in loads.all if f"<{run.verdict.status}: {run.id}" in shown] if shown else loads.untold
    words = [str(run.verdict) for run in meant if not run.verdict.passed]
    if words:
        error.args = ("\n".join([*words, shown]).rstrip(),)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Where the reports are, of every run of this session, once."""
    told = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == _PROPERTY
    ]
    told += map(_line, config.stash[_LOADS].untold)  # of a test that was interrupted there is no report
    if told:
        terminalreporter.section("load tests")
    for line in dict.fromkeys(told):
        terminalreporter.write_line(line)


def _line(run: Run) -> str:
    return f"{run.verdict.status}: {run.report}"
