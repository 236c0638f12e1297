"""Gates on benchmarks: what each observed, its limit, and whether it held for sure, broke for sure, or cannot be told.

The rule is that of runs (:mod:`harness.gates.evaluate`): all of the 95 % interval on one side of the limit, or
*inconclusive*.
"""

from __future__ import annotations

from harness.analysis.compare import against
from harness.analysis.rounds import DISTURBED
from harness.gates.limits import limit_of, side_of
from harness.metrics import formatting
from harness.plan.bench import BenchGate, name_of, reads
from harness.record.measurement import BENCHMARKS, Figures, Interval
from harness.record.summary import GateResult, GateStatus
from harness.recording.bench import BenchRecording

_LEFT_OUT = "the tests chosen for this run leave it out"


def results_of(
    gate: BenchGate, suite: BenchRecording, figures: dict[str, Figures], *, asked_since: bool = False
) -> list[GateResult]:
    """What ``gate`` gives: one result for each benchmark that it names and that was to run.

    None where the bench's own call has left all of them out, which :func:`left_out` tells; of a gate that was
    ``asked_since`` an inconclusive one, for nobody meant it to be left out.
    """
    report = suite.report
    named = [test for test in report.benchmarks if reads(gate.benchmark, test)]
    if named:
        return [_result(gate, test, suite, figures.get(test)) for test in named]
    if _is_left_out(gate, suite):
        return [_untold(gate, _LEFT_OUT)] if asked_since else []
    known = sorted({name_of(test) for test in [*report.benchmarks, *report.deselected]})
    return [_untold(gate, f"there was no benchmark {gate.benchmark!r}: {formatting.among(gate.benchmark, known)}")]


def left_out(gate: BenchGate, suite: BenchRecording) -> str | None:
    """A warning where the user has chosen tests so that nothing of what the gate names was run."""
    return f"gate `{gate.source}` was not judged: {_LEFT_OUT}" if _is_left_out(gate, suite) else None


def _is_left_out(gate: BenchGate, suite: BenchRecording) -> bool:
    report = suite.report
    if any(reads(gate.benchmark, test) for test in report.benchmarks):
        return False
    return gate.benchmark in report.elsewhere or any(reads(gate.benchmark, test) for test in report.deselected)


def _untold(gate: BenchGate, reason: str) -> GateResult:
    return GateResult(require=gate.source, status="inconclusive", unit=gate.measures.unit.name, reason=reason)


def _result(gate: BenchGate, test: str, suite: BenchRecording, figures: Figures | None) -> GateResult:
    result = GateResult(
        require=gate.source,
        endpoint=suite.shown(test) if gate.benchmark not in (test, name_of(test)) else None,
        status="inconclusive",
        unit=gate.measures.unit.name,
    )
    seen = figures.get(gate.metric) if figures else None
    if figures is None or seen is None:
        result.reason = _why_nothing(gate, test, suite, measured=figures is not None)
        return result
    baseline = None
    if gate.baseline:
        before = suite.baseline.figures(BENCHMARKS, test, gate.metric) if suite.baseline else []
        if before:
            baseline, seen = against(seen, before, gate.measures)
        else:
            result.reason = _no_reference(gate, suite)
    result.observed = seen.value
    result.interval = (seen.low, seen.high) if seen.low != seen.high else None
    if gate.baseline and baseline is None:
        return result
    limit = limit_of(gate, baseline)
    result.status = side_of(gate.comparator, seen, limit)
    result.limit, result.baseline = limit, baseline
    result.reason = _sentence(
        gate,
        result.status,
        seen,
        limit,
        baseline,
        rounds=figures["rounds"].value,
        taken=next(benchmark.taken for benchmark in suite.benchmarks if benchmark.test == test),
    )
    return result


def _why_nothing(gate: BenchGate, test: str, suite: BenchRecording, *, measured: bool) -> str:
    if measured:
        return f"{gate.metric} was not looked at: `harness bench --memory` does"
    name, report = suite.shown(test), suite.report
    for faults, what in ((report.failed, "failed"), (report.skipped, "was skipped")):
        message = next((fault.message for fault in faults if fault.test == test), None)
        if message is not None:
            return f"{name} has no figures: its test {what}: {message}"
    if suite.end is None or not report.finished:
        return f"{name} has no figures: pytest died before it had written any"
    if not suite.ran(test):
        return f"{name} has no figures: the suite ended before it had run"
    return f"{name} has no figures: its test does not call `benchmark(…)`, or benchmarks were switched off"


def _no_reference(gate: BenchGate, suite: BenchRecording) -> str:
    run = suite.folder.path
    if suite.baseline is None:
        return suite.no_baseline or (
            "no baseline: `harness baseline set <a bench you trust>` keeps one for later benches of this suite and "
            f"machine (this one: `harness baseline set {run}`)"
        )
    # Without the benchmark's name, which stands beside it: so many of one reason are told once.
    what = f"its {gate.metric}" if gate.measures.needs == "memory" else "this benchmark"
    return f"the baseline knows nothing of {what}: `harness baseline set {run} --add` would"


def _sentence(
    gate: BenchGate,
    status: GateStatus,
    seen: Interval,
    limit: float,
    baseline: float | None,
    *,
    rounds: float,
    taken: float,
) -> str:
    unit = gate.measures.unit.name
    said = f"{gate.metric} was {formatting.observed(seen, unit)}"
    bound = formatting.bound(limit, baseline, unit)
    if status != "inconclusive":
        return f"{said}, {formatting.side(status, gate.comparator, seen.value, limit)} {bound}"
    more = "more rounds tell more: --benchmark-min-rounds, --benchmark-max-time"
    if seen.high is None:
        return f"{said}; {rounds:,.0f} rounds are too few to hold against {bound}: {more}"
    if taken > DISTURBED:
        return f"{said}, too close to {bound} to tell: for {taken:.0%} of its time other work had the core"
    if baseline is not None:
        return f"{said}, too close to {bound} to tell from noise: keep more baseline runs; {more}"
    return f"{said}, too close to {bound} to tell: {more}"
