"""From the folder of a bench to its summary: every benchmark's figures, every gate, the verdict and the exit code.

A benchmark whose test fails has failed the run, whatever its times: what computes something wrong is not fast.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.changes import changes_of
from harness.analysis.compare import against, relative
from harness.analysis.measurement import measure
from harness.analysis.rounds import DISTURBED
from harness.errors import Message
from harness.gates.bench_gates import left_out, results_of
from harness.gates.verdict import PARTLY, Decision, told, weighed
from harness.metrics import BENCH_METRICS
from harness.plan.bench import PROFILE, BenchGate
from harness.record.measurement import BENCHMARKS, Figures
from harness.record.suite import Benchmark
from harness.record.summary import BaselineRef, BenchmarkFigures, GateResult, Summary
from harness.recording.bench import BenchRecording

_INTERNAL_ERROR = 3
"""pytest's own exit status for a fault of itself or of a plugin."""
_TESTS_FAILED = 1


def judge_suite(suite: BenchRecording, *, gates: Sequence[BenchGate] | None = None) -> Summary:
    """Judge a bench under its plan's gates, or under ``gates``. Writes nothing."""
    figures = {test: measured.figures for phase in measure(suite).phases for test, measured in phase.endpoints.items()}
    asked = suite.plan.gates if gates is None else gates
    since = gates is not None
    results = [result for gate in asked for result in results_of(gate, suite, figures, asked_since=since)]
    results += [
        GateResult(
            require=f"{suite.shown(fault.test)} passes",
            status="fail",
            reason=f"the test failed: {fault.message}",
        )
        for fault in suite.report.failed
    ]
    decision = _decide(suite, asked, results)
    end = suite.end
    return Summary(
        kind="bench",
        run_id=suite.run_id,
        scenario=suite.plan.suite,
        profile=PROFILE,
        started_at=suite.started_at,
        duration_s=end.duration_s if end else 0.0,
        verdict=decision.verdict,
        exit_code=decision.exit_code,
        reasons=decision.reasons,
        benchmarks=[_figures(benchmark, suite, figures[benchmark.test]) for benchmark in suite.benchmarks],
        gates=results,
        baseline=BaselineRef(
            run_ids=[run.run_id for run in suite.baseline.runs], fingerprint=suite.baseline.fingerprint
        )
        if suite.baseline
        else None,
        changes=changes_of(suite),
    ).warned(*_warnings(suite, () if since else asked))


def _decide(suite: BenchRecording, asked: Sequence[BenchGate], results: Sequence[GateResult]) -> Decision:
    failed, unsure = told(results)
    if asked and not results:
        unsure.append("no gate was judged: the tests chosen for this run leave out what each of them names")
    broken, interrupted = [], None
    end, report = suite.end, suite.report
    during = f" while {suite.shown(report.running)} ran" if report.running else ""
    if end is None:
        broken.append(f"the bench was killed{during}: what had been recorded by then is reported")
    elif end.interrupted:
        interrupted = f"the bench was interrupted after {end.duration_s:.0f} s{during}: {PARTLY}"
    elif end.exit_status < 0:
        broken.append(f"pytest was ended by signal {-end.exit_status}{during}; harness.log tells what it said")
    elif end.exit_status == _INTERNAL_ERROR or not report.finished:
        broken.append(f"pytest broke down (its exit status: {end.exit_status}){during}; harness.log tells what it said")
    elif end.exit_status and not (end.exit_status == _TESTS_FAILED and report.failed):
        what = "though no test failed" if end.exit_status == _TESTS_FAILED else "not all may have run"
        broken.append(
            f"pytest ended badly (its exit status: {end.exit_status}), {what}: harness.log tells what it said"
        )
    elif not suite.benchmarks and not failed:
        broken.append("not a single benchmark was measured")
    return weighed(results, failed=failed, unsure=unsure, broken=broken, interrupted=interrupted)


def _figures(benchmark: Benchmark, suite: BenchRecording, figures: Figures) -> BenchmarkFigures:
    mean, memory = figures["mean"], suite.memory.get(benchmark.test)
    shown = BenchmarkFigures(
        test=benchmark.test,
        name=suite.shown(benchmark.test),
        group=benchmark.group,
        rounds=len(benchmark.rounds),
        iterations=benchmark.iterations,
        min_s=figures["min"].value,
        mean_s=mean.value,
        mean_interval_s=(mean.low, mean.high),
        median_s=figures["median"].value,
        p95_s=figures["p95"].value,
        p99_s=figures["p99"].value,
        max_s=figures["max"].value,
        stddev_s=figures["stddev"].value,
        ops=figures["ops"].value,
        taken=benchmark.taken,
    )
    if memory is not None:
        shown.peak_bytes, shown.allocations = memory.peak_bytes, memory.allocations
        shown.allocated_bytes = memory.allocated_bytes
    before = suite.baseline.figures(BENCHMARKS, benchmark.test, "mean") if suite.baseline else []
    if before:
        metric = BENCH_METRICS["mean"]
        shown.baseline_mean_s, seen = against(mean, before, metric)
        shown.change, shown.change_interval = relative(seen, shown.baseline_mean_s, metric)
    return shown


def _warnings(suite: BenchRecording, gates: Sequence[BenchGate]) -> list[Message | str]:
    warnings: list[Message | str] = [warning for gate in gates if (warning := left_out(gate, suite)) is not None]
    warnings += [f"{suite.shown(fault.test)} was skipped: {fault.message}" for fault in suite.report.skipped]
    measured = {benchmark.test for benchmark in suite.benchmarks}
    told_of = measured | {fault.test for fault in [*suite.report.skipped, *suite.report.failed]}
    missing = [test for test in suite.report.benchmarks if test not in told_of]
    warnings += [
        f"{suite.shown(test)} was not measured: its test does not call `benchmark(…)`"
        for test in missing
        if suite.ran(test)
    ]
    left = sum(not suite.ran(test) for test in missing)
    if left and suite.end is not None and suite.report.finished:  # of a pytest that died nobody knows
        warnings.append(
            f"{left} of {len(suite.report.benchmarks)} benchmarks were not run: the suite ended before them"
        )
    warnings += _disturbed(suite)
    warnings += suite.profiles.notes
    warnings += suite.environment.notes if suite.environment else []
    return list(dict.fromkeys(warnings))


def _disturbed(suite: BenchRecording) -> list[str]:
    worst = max(suite.benchmarks, key=lambda benchmark: benchmark.taken, default=None)
    if worst is None or worst.taken <= DISTURBED:
        return []
    count = sum(benchmark.taken > DISTURBED for benchmark in suite.benchmarks)
    return [
        f"other work had the core while {count} of {len(suite.benchmarks)} benchmarks were ready to run, of "
        f"{suite.shown(worst.test)}'s time {worst.taken:.0%}: intervals reach down to what the functions may really "
        "take; a quiet machine tells more"
    ]
