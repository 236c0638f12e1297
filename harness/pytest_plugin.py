"""The pytest plugin: the fixture ``load_test``, the marker ``performance``, reasons of failures.

pytest loads it wherever harness is installed, so nothing else of harness is imported before a test asks for a load.
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
"""The property of a test's report that holds each of its runs: the status, and the path of ``report.html``. Properties
travel from xdist's workers to the summary, and into ``--junit-xml``."""


class LoadTest(Protocol):
    """The fixture ``load_test``: takes the arguments of :func:`harness.run` and returns its result."""

    def __call__(self, scenario: str | Path, arguments: str | Sequence[str] = (), **options: Any) -> Run: ...


class _Loads:
    """The runs of this process: all of them, and those that no test report holds yet."""

    def __init__(self) -> None:
        self.all: list[Run] = []
        self.unreported: list[Run] = []

    def add(self, run: Run) -> None:
        self.all.append(run)
        self.unreported.append(run)


_LOADS = pytest.StashKey[_Loads]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LOADS] = _Loads()
    config.addinivalue_line("markers", f"{_MARKER}: puts load on a target; set on tests that use load_test")


def pytest_itemcollected(item: pytest.Item) -> None:
    if "load_test" in getattr(item, "fixturenames", ()):
        item.add_marker(_MARKER)


@pytest.fixture(scope="session")
def load_test(pytestconfig: pytest.Config) -> LoadTest:
    """Put load on a target: ``run = load_test("scenarios/flash_sale.py", profile="smoke")``.

    Takes the arguments of ``harness.run`` and returns its ``Run``. If ``assert run.verdict.passed`` fails, the message
    gives each gate's reason. Loads of the same user wait for each other, across processes. Paths are relative to
    pytest's root folder, where ``reports/`` is created.
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
            run = harness.run(files, arguments, **{"watcher": harness.LineWatcher(), "turn": _own_turn(), **options})
        except harness.HarnessError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        except harness.RunInterrupted as interrupted:
            loads.add(interrupted.run)
            raise
        loads.add(run)
        return run

    return load


@contextmanager
def _own_turn() -> Iterator[None]:
    """A lock shared by this user's processes: two loads on one machine would disturb each other.

    The kernel releases it when its process ends. Raises ``HarnessError`` if this user has no private folder for it.
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
            print("waiting for another load of this user to end", file=sys.stderr)
            lock.acquire()
    except OSError as error:
        raise HarnessError(
            "load-lock-unusable",
            where=str(error.filename or folder or "the folder for this user's runtime files"),
            reason=error.strerror or str(error),
        ) from error
    try:
        yield
    finally:
        lock.release()


def _own_folder() -> Path:
    """The folder for this user's runtime files: ``$XDG_RUNTIME_DIR``, else ``/run/user/UID``.

    In a shared folder another user could have put something else under the lock's name. Raises ``OSError`` if there is
    no folder that only this user can write to.
    """
    from platformdirs import user_runtime_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without such a folder it is one below the temporary folder
        return user_runtime_path("harness", ensure_exists=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the verdict's reasons into a failed assertion, and the test's runs into its report."""
    loads = item.config.stash[_LOADS]
    if call.excinfo is not None and isinstance(call.excinfo.value, AssertionError):
        _explain(call.excinfo.value, loads)
    item.user_properties += [(_PROPERTY, _line(run)) for run in loads.unreported]
    loads.unreported.clear()
    return (yield)


def _explain(error: AssertionError, loads: _Loads) -> None:
    """Put the verdict's text before the message of an assertion about it.

    pytest's explanation of the assertion names the verdict, ``where False = <fail: …>.passed``, but abbreviates it.
    Without explanations (``--assert=plain``) the runs of the test itself are meant.
    """
    shown = str(error)
    meant = [run for run in loads.all if f"<{run.verdict.status}: {run.id}" in shown] if shown else loads.unreported
    words = [str(run.verdict) for run in meant if not run.verdict.passed]
    if words:
        error.args = ("\n".join([*words, shown]).rstrip(),)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List the report of every run of this session."""
    lines = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == _PROPERTY
    ]
    lines += map(_line, config.stash[_LOADS].unreported)  # an interrupted test has no report
    if lines:
        terminalreporter.section("load tests")
    for line in dict.fromkeys(lines):
        terminalreporter.write_line(line)


def _line(run: Run) -> str:
    return f"{run.verdict.status}: {run.report}"
