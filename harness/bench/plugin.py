"""What ``harness bench`` has inside pytest: notes down which benchmarks there are and what became of each test.

``-p harness.bench.plugin --harness-bench FILE``: FILE says what is asked (:class:`harness.bench.request.Request`), and
the findings (:class:`harness.record.suite.SuiteReport`) go where it says. A gate that names no benchmark ends pytest
before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.bench.request import Request
from harness.load.cpu_meter import CpuMeter
from harness.plan.bench import reads
from harness.record.run_folder import write_text
from harness.record.suite import SuiteReport, TestFault, write_rounds

_OPTION = "--harness-bench"
_FIXTURES = {"benchmark", "benchmark_weave"}
_LONGEST = 2000


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(_OPTION, metavar="FILE", help="What `harness bench` asks; it gives this itself.")


def pytest_configure(config: pytest.Config) -> None:
    asked = config.getoption(_OPTION)
    if asked is not None:
        request = Request.model_validate_json(Path(asked).read_bytes())
        config.pluginmanager.register(_Notes(request), "harness-bench-notes")
        if request.memory is not None:
            _trace_memory(Path(request.memory))


class _Notes:
    """Follows one session and writes what it saw when the tests are known, and again at the end."""

    def __init__(self, request: Request) -> None:
        self._path = Path(request.report)
        self._rounds = Path(request.rounds)
        self._gated = request.gated
        self._only = None if request.only is None else set(request.only)
        self._collected: list[str] = []
        self._report = SuiteReport()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if _is_benchmark(item):
            self._collected.append(item.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._report.collect_faults.append(TestFault(test=report.nodeid, message=_collect_fault(report)))

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
        chosen = set(report.benchmarks)
        report.deselected = [test for test in self._collected if test not in chosen]
        if not report.collect_faults:
            report.unknown = [name for name in self._gated if not any(reads(name, test) for test in self._collected)]
        self._write()
        if report.unknown:
            pytest.exit("a gate names a benchmark that there is not", returncode=pytest.ExitCode.USAGE_ERROR)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        meter = CpuMeter()
        try:
            return (yield)
        finally:
            shares = meter.read()
            self._report.taken[item.nodeid] = min(1.0, shares.starved + shares.throttled + shares.stolen)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._report.failed.append(TestFault(test=report.nodeid, message=_fault(report)))
        elif report.skipped and report.nodeid in self._report.benchmarks:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            self._report.skipped.append(TestFault(test=report.nodeid, message=reason.removeprefix("Skipped: ")))

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Keep the rounds apart: see :mod:`harness.record.suite`."""
        rounds = {entry["fullname"]: entry["stats"].pop("data", []) for entry in output_json["benchmarks"]}
        write_rounds(self._rounds, {test: seconds for test, seconds in rounds.items() if seconds})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._report.finished = True
        self._write()

    def _write(self) -> None:
        write_text(self._path, self._report.model_dump_json(indent=2) + "\n")


def _is_benchmark(item: pytest.Item) -> bool:
    return not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def _fault(report: pytest.TestReport) -> str:
    """Where and why a test failed, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return report.longreprtext.strip()[-_LONGEST:]
    during = "" if report.when == "call" else f" in {report.when}"
    why = crash.message.strip().splitlines()
    return f"{why[0] if why else 'it failed'}{during} ({Path(crash.path).name}:{crash.lineno})"[:_LONGEST]


def _collect_fault(report: pytest.CollectReport) -> str:
    """Why a file could not be imported: the last line of the error that Python or pytest told."""
    lines = [line.strip() for line in report.longreprtext.splitlines() if line.strip()]
    told = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    return (told or lines or ["it cannot be collected"])[-1][:_LONGEST]


def _trace_memory(folder: Path) -> None:
    """Have each benchmark call its function twice, the second time under memray, instead of measuring rounds.

    The first call fills caches and imports modules: what only that takes is no part of the function's cost.
    pytest-benchmark runs with ``--benchmark-disable`` then, which calls the function once and keeps no time.
    """
    import memray
    from pytest_benchmark.fixture import BenchmarkFixture

    def traced(function: Callable[..., Any], fixture: Any) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            def measured() -> Any:  # by this frame what the function allocates is told from what the tracing does
                return function(*args, **kwargs)

            path = folder / f"{len(list(folder.glob('*.bin'))):03d}.bin"
            path.with_suffix(".test").write_text(fixture.fullname, encoding="utf-8")
            # Small objects come from pymalloc, which memray looks into only when told.
            with memray.Tracker(path, trace_python_allocators=True):
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

    # pytest-benchmark has no hook here; the session measures no time, so that nothing else of it is touched.
    BenchmarkFixture.__call__ = once  # type: ignore[method-assign, assignment]
    BenchmarkFixture.pedantic = pedantic  # type: ignore[method-assign, assignment]
