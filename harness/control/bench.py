"""One bench from plan to verdict: pytest, then what was asked besides, then judge and report."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import control
from harness.control.artifacts import artifact_location
from harness.control.interrupts import Interrupts
from harness.errors import HarnessError, ManyProblemsError
from harness.metrics.formatting import among
from harness.microbench.cpu import SLOWEST, profile_benchmarks
from harness.microbench.memory import trace_benchmarks
from harness.microbench.request import Request
from harness.microbench.session import Ended, Outlet, Session, need_pytest_benchmark, pytest_command
from harness.plan.bench import PROFILE, BenchPlan, name_of
from harness.record.profiles import ProfileIndex
from harness.record.redaction import redacted_words
from harness.record.run_folder import RunFolder, new_run_id, read_model, write_json, write_text
from harness.record.running import marked_as_running
from harness.record.suite import SuiteEnd, SuiteReport, read_benchmarks
from harness.record.summary import Summary
from harness.report.formatting import plain
from harness.store import open_store
from harness.targets.capture_environment import capture_bench_environment

_NOTHING_COLLECTED = 5
_LAST_LINES = 8
_MEASURED = ("--benchmark-only", "--benchmark-enable", "--benchmark-quiet")


@dataclass(frozen=True)
class BenchOutcome:
    """A bench that has ended: its folder and its result."""

    folder: RunFolder
    summary: Summary


def bench(plan: BenchPlan, *, out: Path, hear: Callable[[str], object]) -> BenchOutcome:
    """Make the run folder below ``out``, run the suite, judge it, write the reports, put it into the store.

    ``hear`` is given what pytest says, line by line, redacted and harmless to a terminal; not any more after an
    ``OSError``: nobody reads it. What else it raises is raised when the bench has ended.
    Raises :class:`HarnessError` (exit code 2) where nothing could be measured: no such benchmark, a file that cannot be
    imported, pytest-benchmark not installed; ``KeyboardInterrupt`` where it was interrupted before a benchmark was
    found. A bench that began always gives an outcome.
    """
    need_pytest_benchmark(plan.arguments)
    outlet = Outlet(lambda text: hear(plain(text)))
    try:
        return _bench(plan, out, outlet)
    finally:
        outlet.raise_fault()


def _bench(plan: BenchPlan, out: Path, hear: Outlet) -> BenchOutcome:
    shown = plan.redacted()
    copies = artifact_location()
    with open_store(None, out) as store:
        folder = RunFolder.create(out, new_run_id(plan.suite, PROFILE))
        environment = capture_bench_environment(Path(plan.folder))
        with marked_as_running(folder):
            write_text(folder.plan, shown.model_dump_json(indent=2) + "\n")
            write_json(folder.environment, environment.model_dump())
            with Interrupts() as interrupts:
                _measure(folder, plan, interrupts, hear)

            summary = control.finalize.conclude(folder, plan, environment, store)
            if copies is not None:
                hear(f"  copying the run folder to {copies}\n")
                summary = control.finalize.copy_run(folder, summary, copies)
            return BenchOutcome(folder, summary)


def _measure(folder: RunFolder, plan: BenchPlan, interrupts: Interrupts, hear: Outlet) -> None:
    """The suite, and what was asked besides, into ``folder``; which is removed where nothing could be measured."""
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
    with Session(command, folder.log, hear) as session:
        ended = session.wait(lambda: interrupts.count)
    request.unlink()
    report = read_model(folder.suite, SuiteReport) if folder.suite.exists() else SuiteReport()
    try:
        _refuse_empty(report, ended, plan, folder.log)
    except (HarnessError, KeyboardInterrupt):
        shutil.rmtree(folder.path)  # it is no run: nothing was measured, and why has been told
        raise
    end = SuiteEnd(
        started_at=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        duration_s=round(time.monotonic() - begun, 3),
        exit_status=ended.status,
        interrupted=ended.interrupted,
    )
    write_json(folder.suite_end, end.model_dump())
    if not ended.interrupted:
        _look_closer(folder, plan, report, lambda: interrupts.count, lambda text: hear(f"  {text}\n"))
        if interrupts.count:
            write_json(folder.suite_end, end.model_copy(update={"interrupted": True}).model_dump())


def _look_closer(
    folder: RunFolder,
    plan: BenchPlan,
    report: SuiteReport,
    interrupts: Callable[[], int],
    say: Callable[[str], None],
) -> None:
    """Profiles and memory, where they were asked: in sessions of their own, so that no time is bent by them."""
    index = ProfileIndex()
    measured = read_benchmarks(folder.benchmarks, folder.rounds, report)
    if plan.profile:
        slowest = sorted(measured, key=lambda benchmark: -benchmark.rounds.mean())[:SLOWEST]
        tests = [(report.benchmarks.index(benchmark.test), benchmark.test) for benchmark in slowest]
        found, notes = profile_benchmarks(tests, plan, folder, interrupts=interrupts, say=say)
        index.profiles += found
        index.notes += notes
    if plan.memory and not interrupts():
        found, notes = trace_benchmarks(report.benchmarks, plan, folder, interrupts=interrupts, say=say)
        index.profiles += found
        index.notes += notes
    if plan.profile or plan.memory:
        index.save(folder.profiles)


def _refuse_empty(report: SuiteReport, ended: Ended, plan: BenchPlan, log: Path) -> None:
    """Raise where pytest came to no benchmark at all; ``log`` is what it said."""
    if ended.interrupted:
        if not report.benchmarks:
            raise KeyboardInterrupt("interrupted before a benchmark was found")
        return
    if report.collect_faults:
        raise ManyProblemsError(
            [
                HarnessError(f"pytest cannot collect it: {fault.message}", where=fault.test)
                for fault in report.collect_faults
            ]
        )
    if report.unknown:
        names = sorted({name_of(test) for test in [*report.benchmarks, *report.deselected]})
        raise ManyProblemsError(
            [
                HarnessError(
                    f"there is no benchmark {name!r}, which a gate names",
                    where=f'bench("{name}")',
                    hint=f"{among(name, names)}; tests that this command leaves out by their path are not known",
                )
                for name in report.unknown
            ]
        )
    if ended.status == _NOTHING_COLLECTED or (ended.status == 0 and not report.benchmarks):
        raise HarnessError(
            "there are no benchmarks among these tests",
            where=shlex.join(["pytest", *redacted_words(plan.arguments)]),
            hint="A benchmark is a test that takes the fixture `benchmark` of pytest-benchmark: "
            "def test_search(benchmark): benchmark(search, 'lamp')",
        )
    if ended.status == 0 and not (report.waited_s or report.failed or report.skipped):
        raise HarnessError(
            "pytest ran none of these benchmarks",
            where=shlex.join(["pytest", *redacted_words(plan.arguments)]),
            hint="Leave out what keeps it from running them (--collect-only, --setup-plan): they are to be measured.",
        )
    if not report.benchmarks:
        raise HarnessError(
            f"pytest could not begin (its exit status: {ended.status}){_last_words(log)}",
            where=shlex.join(["pytest", *redacted_words(plan.arguments)]),
        )


def _last_words(log: Path) -> str:
    lines = [line for line in plain(log.read_text(errors="replace")).splitlines() if line.strip()]
    return "\n  ".join([":", *lines[-_LAST_LINES:]]) if lines else ""
