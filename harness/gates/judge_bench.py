"""The summary of a bench, and what its reader should be warned of.

A benchmark whose test fails has failed the run, whatever its times: a function that computes something wrong is not
fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from harness.analysis.changes import changes_of
from harness.analysis.measurement import measure
from harness.analysis.rounds import DISTURBED
from harness.gates.bench_gates import bench_results, left_out
from harness.gates.verdict import Decision, weigh
from harness.messages import Message, message
from harness.plan.bench import PROFILE, BenchGate
from harness.record.benchmark_figures import BenchmarkFigures
from harness.record.changes import BaselineRef, Change
from harness.record.gate_result import GateResult
from harness.record.measurement import BENCHMARKS
from harness.record.suite import Benchmark
from harness.record.summary import Summary
from harness.recording.bench import BenchRecording

_INTERNAL_ERROR = 3
"""pytest's own exit status for an error of itself or of a plugin."""
_TESTS_FAILED = 1
_TIMES = ("min", "mean", "median", "p95", "p99", "max", "stddev")


def judge_bench(suite: BenchRecording, gates: Sequence[BenchGate] | None) -> Summary:
    """Judge a bench under its plan's gates (None), or under ``gates``."""
    asked = suite.plan.gates if gates is None else gates
    since = gates is not None
    results = [result for gate in asked for result in bench_results(gate, suite, asked_since=since)]
    results += [
        GateResult(require=f"{suite.shown(problem.test)} passes", status="fail").because(
            message("bench-test-failed", error=problem.message)
        )
        for problem in suite.report.failed
    ]
    decision = _decide(suite, asked, results)
    changes = changes_of(suite)
    means = {change.endpoint: change for change in changes if change.metric == "mean"}
    return (
        Summary(
            kind="bench",
            run_id=suite.run_id,
            scenario=suite.plan.suite,
            profile=PROFILE,
            started_at=suite.started_at,
            duration_s=suite.end.duration_s if suite.end else 0.0,
            verdict=decision.verdict,
            exit_code=decision.exit_code,
            benchmarks=[_figures(benchmark, suite, means) for benchmark in suite.benchmarks],
            gates=results,
            baseline=BaselineRef.of(suite.baseline),
            changes=changes,
        )
        .decided(decision.reasons)
        .warned(*_warnings(suite, () if since else asked))
    )


def _decide(suite: BenchRecording, asked: Sequence[BenchGate], results: Sequence[GateResult]) -> Decision:
    unsure = []
    if asked and not results:
        unsure.append(message("no-gate-judged"))
    broken, interrupted = _broken(suite, results), None
    if suite.end is not None and suite.end.interrupted:
        interrupted = message("bench-interrupted", seconds=suite.end.duration_s, during=During(suite))
    return weigh(results, unsure=unsure, broken=broken, interrupted=interrupted)


class During(str):
    """In which test pytest was, as the end of a sentence; empty where it was in none."""

    __slots__ = ()

    def __new__(cls, suite: BenchRecording) -> Self:
        running = suite.report.running
        return super().__new__(cls, f" while {suite.shown(running)} ran" if running else "")


def _broken(suite: BenchRecording, results: Sequence[GateResult]) -> list[Message]:
    """Why the bench is not valid; empty where it is."""
    end, report, during = suite.end, suite.report, During(suite)
    if end is None:
        return [message("bench-killed", during=during)]
    if end.interrupted:
        return []
    if end.exit_status < 0:
        return [message("pytest-killed", signal=-end.exit_status, during=during)]
    if end.exit_status == _INTERNAL_ERROR or not report.finished:
        return [message("pytest-broke-down", status=end.exit_status, during=during)]
    if end.exit_status == _TESTS_FAILED and not report.failed:
        return [message("pytest-failed-without-test", status=end.exit_status)]
    if end.exit_status not in (0, _TESTS_FAILED):
        return [message("pytest-ended-badly", status=end.exit_status)]
    if not suite.benchmarks and not any(result.status == "fail" for result in results):
        return [message("no-benchmarks-measured")]
    return []


def _figures(benchmark: Benchmark, suite: BenchRecording, means: dict[str | None, Change]) -> BenchmarkFigures:
    measured = measure(suite).phases[0].endpoints[benchmark.test]
    name, memory = suite.shown(benchmark.test), suite.memory.get(benchmark.test)
    mean, change = measured.figures["mean"], means.get(name)
    return BenchmarkFigures(
        test=benchmark.test,
        name=name,
        group=benchmark.group,
        rounds=len(benchmark.rounds),
        iterations=benchmark.iterations,
        mean_interval_s=(mean.low, mean.high),
        ops=measured.figures["ops"].value,
        taken=benchmark.taken,
        baseline_mean_s=change.baseline if change else None,
        change=change.change if change else None,
        change_interval=change.interval if change else None,
        **{f"{metric}_s": measured.figures[metric].value for metric in _TIMES},
        **(memory.model_dump() if memory else {}),
    )


def _warnings(suite: BenchRecording, gates: Sequence[BenchGate]) -> list[Message | str]:
    warnings: list[Message | str] = [warning for gate in gates if (warning := left_out(gate, suite)) is not None]
    warnings += [
        message("bench-skipped", name=suite.shown(problem.test), why=problem.message)
        for problem in suite.report.skipped
    ]
    explained = {benchmark.test for benchmark in suite.benchmarks}
    explained |= {problem.test for problem in [*suite.report.skipped, *suite.report.failed]}
    missing = [test for test in suite.report.benchmarks if test not in explained]
    warnings += [message("bench-not-measured", name=suite.shown(test)) for test in missing if suite.ran(test)]
    left = sum(not suite.ran(test) for test in missing)
    if left and suite.end is not None and suite.report.finished:  # not known if pytest died
        warnings.append(message("bench-not-run", left=left, count=len(suite.report.benchmarks)))
    gone = _gone(suite)
    if gone:
        warnings.append(message("bench-gone", names=gone))
    warnings += _disturbed(suite)
    warnings += suite.profiles.notes
    warnings += suite.environment.doubts if suite.environment else []
    return list({str(warning): warning for warning in warnings}.values())


def _gone(suite: BenchRecording) -> list[str]:
    """The benchmarks of the baseline's latest run that pytest did not find, though it looked where they were."""
    latest = suite.baseline.runs[0].phase(BENCHMARKS) if suite.baseline else None
    found = {*suite.report.benchmarks, *suite.report.deselected}
    if latest is None or not suite.report.finished:
        return []
    searched = {test.partition("::")[0] for test in found} if suite.plan.arguments else None
    gone = [test for test in latest.endpoints if test not in found]
    return [suite.shown(test) for test in gone if searched is None or test.partition("::")[0] in searched]


def _disturbed(suite: BenchRecording) -> list[Message]:
    worst = max(suite.benchmarks, key=lambda benchmark: benchmark.taken, default=None)
    if worst is None or worst.taken <= DISTURBED:
        return []
    return [
        message(
            "bench-disturbed",
            disturbed=sum(benchmark.taken > DISTURBED for benchmark in suite.benchmarks),
            count=len(suite.benchmarks),
            name=suite.shown(worst.test),
            taken=worst.taken,
        )
    ]
