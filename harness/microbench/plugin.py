"""The pytest plugin of ``harness bench``: records the benchmarks and the outcome of each test.

``-p harness.microbench.plugin --harness-bench=FILE``: FILE is a :class:`harness.microbench.request.Request`, which
names the file for the redacted :class:`harness.record.suite.SuiteReport`. If a gate names no benchmark, pytest ends
before any test runs.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from harness.cpu_meter import CpuMeter
from harness.microbench.request import Request
from harness.plan.bench import reads
from harness.record.redaction import add_secret_names, redacted, redacted_settings, redacted_words
from harness.record.run_folder import write_text
from harness.record.suite import SuiteReport, TestProblem

_OPTION = "--harness-bench"
_FIXTURES = {"benchmark", "benchmark_weave"}
_LONGEST = 2000
_BESIDES = (
    *("benchmark_json", "benchmark_save", "benchmark_autosave"),
    *("benchmark_compare", "benchmark_compare_fail", "benchmark_histogram"),
)
"""Options of pytest-benchmark that use the times, which profiling and tracing distort."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(_OPTION, metavar="FILE", help="Used by `harness bench` itself.")


@pytest.hookimpl(tryfirst=True)  # pytest-benchmark reads its options when it is configured
def pytest_configure(config: pytest.Config) -> None:
    asked = config.getoption(_OPTION)
    if asked is None:
        return
    request = Request.model_validate_json(Path(asked).read_bytes())
    Path(asked).unlink()  # from now on, pytest itself handles Ctrl-C
    add_secret_names(request.secret_names)
    if request.paths and config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR:
        # pytest uses `testpaths`, through which it got them, only if it was started in its rootdir.
        config.args = list(request.paths)
    if request.only is not None:
        for name in _BESIDES:
            setattr(config.option, name, None)
    if request.memory is not None:
        # From addopts. The first excludes --benchmark-disable, and with the second no benchmark is called.
        config.option.benchmark_only = config.option.benchmark_skip = False
        _trace_memory(Path(request.memory))
    config.pluginmanager.register(_Recorder(request), "harness-bench-recorder")


class _Recorder:
    """Follows one session; writes its report when the tests are known, and again at the end."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._only = None if request.only is None else set(request.only)
        self._collected: list[str] = []
        self._chosen: set[str] = set()
        self._report = SuiteReport()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if _is_benchmark(item):
            self._collected.append(item.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._report.collect_errors.append(
                TestProblem(test=report.nodeid, message=redacted(_collect_error(report)))
            )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self._only is None:
            return
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in self._only])
        items[:] = [item for item in items if item.nodeid in self._only]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        report = self._report
        report.benchmarks = [item.nodeid for item in session.items if _is_benchmark(item)]
        self._chosen = set(report.benchmarks)
        report.deselected = [test for test in self._collected if test not in self._chosen]
        if not report.collect_errors:
            unknown = [name for name in self._request.gated if not any(reads(name, test) for test in self._collected)]
            # For a whole suite, or gates given for this call, it is an error; else another test may have the name.
            if self._request.strict or self._is_whole(session.config):
                report.unknown = unknown
            else:
                report.elsewhere = unknown
        self._write()
        if report.unknown:
            pytest.exit("a gate names a benchmark that does not exist", returncode=pytest.ExitCode.USAGE_ERROR)
        time.sleep(self._request.pause_s)

    def _is_whole(self, config: pytest.Config) -> bool:
        """Whether the arguments name no tests, or all of the suite."""
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            return True
        here = config.invocation_params.dir
        chosen = {(here / argument).resolve() for argument in config.args}
        every = [(here / path).resolve() for path in self._request.paths or config.getini("testpaths") or ["."]]
        return all(not chosen.isdisjoint([path, *path.parents]) for path in every)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._note_running(nodeid, nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._note_running(nodeid, None)

    def _note_running(self, nodeid: str, running: str | None) -> None:
        if nodeid in self._chosen:  # the other tests are skipped, and may be very many
            self._report.running = running
            self._write()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        meter, begun = CpuMeter(), time.perf_counter()
        try:
            return (yield)
        finally:
            shares, lasted_s = meter.read(), time.perf_counter() - begun
            share = min(1.0, shares.starved + shares.throttled + shares.stolen)
            self._report.waited_s[item.nodeid] = share * lasted_s

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._report.failed.append(TestProblem(test=report.nodeid, message=redacted(_failure(report))))
        elif report.skipped and report.nodeid in self._report.benchmarks:
            self._report.skipped.append(TestProblem(test=report.nodeid, message=redacted(_why_skipped(report))))

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Write the rounds to a file of their own, see :mod:`harness.record.suite`; a second call is the user's."""
        path, self._request.rounds = self._request.rounds, None
        if path is None:
            return
        # Here, since the measured process should load no more than it must.
        from harness.recording.streams.rounds import write_rounds

        for entry in output_json["benchmarks"]:
            entry["extra_info"] = _redacted_texts(entry["extra_info"])
        rounds = {entry["fullname"]: entry["stats"].pop("data", []) for entry in output_json["benchmarks"]}
        write_rounds(Path(path), {test: seconds for test, seconds in rounds.items() if seconds})

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Iterator[None]:
        former = signal.signal(signal.SIGINT, signal.SIG_IGN)  # now Ctrl-C would only lose what was measured
        try:
            yield
            self._report.finished = True
            self._write()
        finally:
            signal.signal(signal.SIGINT, former)

    def _write(self) -> None:
        write_text(Path(self._request.report), self._report.model_dump_json(indent=2) + "\n")


def _is_benchmark(item: pytest.Item) -> bool:
    return not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def _redacted_texts(value: Any, name: str = "") -> Any:
    """A test's ``extra_info`` (any JSON value) with its secrets redacted, by their names or their form."""
    if isinstance(value, dict):
        return {key: _redacted_texts(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted_texts(inner, name) for inner in value]
    return redacted_settings({name: value})[name] if isinstance(value, str) else value


def _failure(report: pytest.TestReport) -> str:
    """Where and why a test failed, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return report.longreprtext.strip()[-_LONGEST:]
    during = "" if report.when == "call" else f" in {report.when}"
    why = crash.message.strip().splitlines()
    return f"{why[0] if why else 'it failed'}{during} ({Path(crash.path).name}:{crash.lineno})"[:_LONGEST]


def _why_skipped(report: pytest.TestReport) -> str:
    expected: str | None = getattr(report, "wasxfail", None)
    if expected is not None:
        return f"expected to fail: {expected.removeprefix('reason: ')}"
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return reason.removeprefix("Skipped: ")


def _collect_error(report: pytest.CollectReport) -> str:
    """Why a file could not be imported: the last line of the error."""
    lines = [line.strip() for line in report.longreprtext.splitlines() if line.strip()]
    errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    return (errors or lines or ["it cannot be collected"])[-1][:_LONGEST]


def _trace_memory(folder: Path) -> None:
    """Make each benchmark call its function twice, the second time under memray, instead of measuring rounds.

    The first call fills caches and imports modules, which is not part of the function's cost. pytest-benchmark runs
    with ``--benchmark-disable`` meanwhile, which calls the function once and measures no time.
    """
    from pytest_benchmark.fixture import BenchmarkFixture

    def traced(function: Callable[..., Any], fixture: Any) -> Callable[..., Any]:
        fixture._mode = "traced"  # else pytest-benchmark warns that it was not used

        def call(*args: Any, **kwargs: Any) -> Any:
            def measured() -> Any:  # this frame separates the function's allocations from the tracer's
                return function(*args, **kwargs)

            path = folder / f"{len(list(folder.glob('*.bin'))):03d}.bin"
            path.with_suffix(".test").write_text(fixture.fullname, encoding="utf-8")
            with _tracker(path):
                # CPython reuses freed lists and dicts, so this call would not allocate what others have freed. A full
                # collection releases them. It must be in here, since starting the tracer leaves some, too.
                gc.collect()
                return measured()

        return call

    def once(fixture: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        function(*args, **kwargs)
        return traced(function, fixture)(*args, **kwargs)

    def pedantic(
        fixture: Any,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **_: Any,
    ) -> Any:
        result = None
        for function in (target, traced(target, fixture)):
            made = setup() if setup else None
            given, named = made if made else (args, kwargs or {})
            result = function(*given, **named)
            if teardown:
                teardown(*given, **named)
        return result

    # pytest-benchmark has no hook for this. The session measures no times, so nothing else changes.
    BenchmarkFixture.__call__ = once  # type: ignore[method-assign, assignment]
    BenchmarkFixture.pedantic = pedantic  # type: ignore[method-assign, assignment]


def _tracker(path: Path) -> AbstractContextManager[object]:
    """A memray tracker. It records this process's command line in its trace, so that is redacted."""
    import memray

    words = sys.argv
    sys.argv = list(redacted_words(words))
    try:
        # Small objects come from pymalloc, which memray does not trace by default.
        return memray.Tracker(path, trace_python_allocators=True)
    finally:
        sys.argv = words
