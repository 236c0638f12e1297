"""Runs a benchmark suite from plan to verdict: pytest, then profiles and memory, then the report."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from harness import control
from harness.control.artifacts import artifact_location
from harness.control.interrupts import Interrupts
from harness.errors import HarnessError, ManyProblemsError
from harness.messages import alternatives
from harness.microbench.cpu import SLOWEST, profile_benchmarks
from harness.microbench.memory import trace_benchmarks
from harness.microbench.request import Request
from harness.microbench.session import Ended, Outlet, Session, need_pytest_benchmark, pytest_command
from harness.plan.bench import PROFILE, BenchPlan, name_of
from harness.record.plain_text import plain
from harness.record.profiles import ProfileIndex
from harness.record.redaction import redacted_words
from harness.record.run_folder import RunFolder, marked_as_running, new_run_id, write_json, write_text
from harness.record.suite import SuiteEnd, SuiteReport
from harness.record.summary import Summary
from harness.recording.streams.rounds import read_benchmarks, read_report
from harness.store import open_store
from harness.targets.capture_environment import capture_bench_environment

_NOTHING_COLLECTED = 5
_LAST_LINES = 8
_MEASURED = ("--benchmark-only", "--benchmark-enable", "--benchmark-quiet")


def bench(plan: BenchPlan, *, out: Path, on_output: Callable[[str], object]) -> tuple[RunFolder, Summary]:
    """Create the run folder below ``out``, run the suite, judge it, write the reports, put it into the store.

    ``on_output`` gets pytest's output line by line, redacted and safe for a terminal. After an ``OSError`` it is no
    longer called; any other exception it raises is raised when the bench has ended.

    Raises :class:`HarnessError` (exit code 2) if nothing could be measured: no such benchmark, a file that cannot be
    imported, pytest-benchmark not installed. Raises ``KeyboardInterrupt`` if it was interrupted before a benchmark was
    found. Any other bench has a folder and a summary, which are returned.
    """
    need_pytest_benchmark(plan.arguments)
    outlet = Outlet(lambda text: on_output(plain(text)))
    try:
        return _bench(plan, out, outlet)
    finally:
        outlet.raise_error()


def _bench(plan: BenchPlan, out: Path, on_output: Outlet) -> tuple[RunFolder, Summary]:
    shown = plan.redacted()
    copies = artifact_location()
    with open_store(None, out) as store:
        environment = capture_bench_environment(Path(plan.folder))  # first: Ctrl-C meanwhile leaves no folder
        folder = RunFolder.create(out, new_run_id(plan.suite, PROFILE))
        with marked_as_running(folder):
            write_text(folder.plan, shown.model_dump_json(indent=2) + "\n")
            write_json(folder.environment, environment.model_dump())
            with Interrupts() as interrupts:
                _measure(folder, plan, interrupts, on_output)

            summary = control.finalize.conclude(folder, plan, environment, store)
            if copies is not None:
                on_output(f"  copying the run folder to {copies}\n")
                summary = control.finalize.copy_run(folder, summary, copies)
            return folder, summary


def _measure(folder: RunFolder, plan: BenchPlan, interrupts: Interrupts, on_output: Outlet) -> None:
    """Run the suite, then profiles and memory if asked, into ``folder``; remove it if nothing could be measured."""
    request = Request(
        report=str(folder.suite.absolute()),
        secret_names=plan.secret_names,
        paths=plan.paths,
        rounds=str(folder.rounds.absolute()),
        gated=tuple(dict.fromkeys(gate.benchmark for gate in plan.gates)),
        strict=plan.strict,
    ).write(folder.path / "request.json")
    started, begun = datetime.now(UTC), time.monotonic()
    command = pytest_command(plan, request, [*_MEASURED, f"--benchmark-json={folder.benchmarks.absolute()}"])
    with Session(command, folder.log, on_output, request) as session:
        ended = session.wait(lambda: interrupts.count)
    request.unlink(missing_ok=True)
    report = read_report(folder)
    try:
        _reject_empty(report, ended, plan, folder.log)
    except (HarnessError, KeyboardInterrupt):
        shutil.rmtree(folder.path)  # nothing was measured, and the error says why
        raise
    end = SuiteEnd(
        started_at=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        duration_s=round(time.monotonic() - begun, 3),
        exit_status=ended.status,
        interrupted=ended.interrupted,
    )
    write_json(folder.suite_end, end.model_dump())
    if not ended.interrupted:
        _profile_and_trace(folder, plan, report, lambda: interrupts.count, lambda text: on_output(f"  {text}\n"))
        if interrupts.count:
            write_json(folder.suite_end, end.model_copy(update={"interrupted": True}).model_dump())


def _profile_and_trace(
    folder: RunFolder,
    plan: BenchPlan,
    report: SuiteReport,
    interrupts: Callable[[], int],
    on_progress: Callable[[str], None],
) -> None:
    """Profiles and memory, if asked, in sessions of their own, so that they distort no times."""
    index = ProfileIndex()
    measured = read_benchmarks(folder.benchmarks, folder.rounds, report)
    slowest_first = sorted(measured, key=lambda benchmark: -benchmark.rounds.mean())
    tests = [(report.benchmarks.index(benchmark.test), benchmark.test) for benchmark in slowest_first]
    if plan.profile:
        profile_benchmarks(tests[:SLOWEST], plan, folder, index, interrupts=interrupts, on_progress=on_progress)
    if plan.memory and tests and not interrupts():
        trace_benchmarks(sorted(tests), plan, folder, index, interrupts=interrupts, on_progress=on_progress)
    if plan.profile or plan.memory:
        index.save(folder.profiles)


def _reject_empty(report: SuiteReport, ended: Ended, plan: BenchPlan, log: Path) -> None:
    """Raise if pytest found or ran no benchmark at all; ``log`` has its output."""
    if ended.interrupted:
        if not report.benchmarks:
            raise KeyboardInterrupt("interrupted before a benchmark was found")
        return
    if report.collect_errors:
        raise ManyProblemsError(
            [
                HarnessError("bench-not-collected", where=problem.test, error=problem.message)
                for problem in report.collect_errors
            ]
        )
    if report.unknown:
        names = sorted({name_of(test) for test in [*report.benchmarks, *report.deselected]})
        raise ManyProblemsError(
            [
                HarnessError("bench-unknown", where=f'bench("{name}")', name=name, choices=alternatives(name, names))
                for name in report.unknown
            ]
        )
    command = shlex.join(["pytest", *redacted_words(plan.arguments)])
    if ended.status == _NOTHING_COLLECTED or (ended.status == 0 and not report.benchmarks):
        raise HarnessError("bench-none-found", where=command)
    if ended.status == 0 and not (report.waited_s or report.failed or report.skipped):
        raise HarnessError("bench-none-ran", where=command)
    if not report.benchmarks:
        raise HarnessError("bench-not-started", where=command, status=ended.status, output=_last_lines(log))


def _last_lines(log: Path) -> str:
    lines = [line for line in plain(log.read_text(errors="replace")).splitlines() if line.strip()]
    return "\n  ".join(lines[-_LAST_LINES:] or ["It printed nothing."])
