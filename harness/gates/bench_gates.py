"""The gates of a bench: what each observed of a benchmark, and whether it held."""

from __future__ import annotations

from functools import partial
from typing import Any

from harness.analysis.comparability import beside_baseline, remedy_of, why_not_comparable
from harness.analysis.measurement import measure
from harness.analysis.rounds import DISTURBED
from harness.analysis.settling_gates import Settling
from harness.gates.escalation import weighed_with_earlier_nights
from harness.gates.nothing_to_judge import no_baseline
from harness.gates.requirement import Finding, Judgement, detectable_of, judged
from harness.messages import Message, alternatives, message
from harness.plan.bench import BenchGate, name_of, reads
from harness.record.gate_result import GateResult, Settle
from harness.record.measurement import BENCHMARKS, Interval, UndecidedGate
from harness.recording.bench import BenchRecording


def bench_results(gate: BenchGate, suite: BenchRecording, *, asked_since: bool) -> list[GateResult]:
    """What ``gate`` gives: one result for each benchmark that it names and that was to run.

    None where the bench's own call has left all of them out, which :func:`left_out` reports. A gate that was
    ``asked_since`` is then inconclusive, because nobody meant to leave it out.
    """
    report = suite.report
    named = [test for test in report.benchmarks if reads(gate.benchmark, test)]
    if named:
        return [_finding(gate, test, suite).result(gate, endpoint=_endpoint(gate, test, suite)) for test in named]
    if _is_left_out(gate, suite):
        reason = message("gate-left-out")
        return [Finding("inconclusive", reason).result(gate)] if asked_since else []
    known = alternatives(gate.benchmark, sorted({name_of(test) for test in [*report.benchmarks, *report.deselected]}))
    reason = message("gate-unknown-benchmark", benchmark=gate.benchmark, known=known)
    return [Finding("inconclusive", reason).result(gate)]


def left_out(gate: BenchGate, suite: BenchRecording) -> Message | None:
    """A warning where the user has chosen tests so that nothing of what the gate names was run."""
    if not _is_left_out(gate, suite):
        return None
    return message("gate-not-judged", gate=gate.source)


def _is_left_out(gate: BenchGate, suite: BenchRecording) -> bool:
    report = suite.report
    if any(reads(gate.benchmark, test) for test in report.benchmarks):
        return False
    return gate.benchmark in report.elsewhere or any(reads(gate.benchmark, test) for test in report.deselected)


def _finding(gate: BenchGate, test: str, suite: BenchRecording) -> Finding:
    measured = measure(suite).endpoint(BENCHMARKS, test)
    if measured is None:
        return Finding("inconclusive", _why_no_figures(test, suite))
    observed = measured.figures.get(gate.metric)
    if observed is None:
        return Finding("inconclusive", message("gate-memory-not-measured", metric=gate.metric))
    baselines: list[Interval] = []
    if gate.baseline:
        if suite.baseline is None:
            return Finding("inconclusive", no_baseline(suite), observed)
        phase = measure(suite).phases[0]
        beside = beside_baseline(suite, phase, test, gate.metric)
        baselines = beside.figures if beside else []
        if not baselines:
            # Without the benchmark's name, so that many results with one reason are shown together.
            unknown = message("baseline-lacks-benchmark", metric=gate.metric, remedy=remedy_of(suite))
            return Finding("inconclusive", why_not_comparable(suite, phase) or unknown, observed)
    finding = judged(gate, observed, baselines, partial(_doubt, gate, test, suite, measured.requests))
    if not baselines:
        return finding
    asked = UndecidedGate(require=gate.source, phase=None, endpoint=_endpoint(gate, test, suite))
    return weighed_with_earlier_nights(finding, gate, suite, measure(suite).phases[0], test, asked)


def _endpoint(gate: BenchGate, test: str, suite: BenchRecording) -> str | None:
    """What the result of a gate over several benchmarks calls this one."""
    return suite.shown(test) if gate.benchmark not in (test, name_of(test)) else None


def _why_no_figures(test: str, suite: BenchRecording) -> Message:
    name, report = suite.shown(test), suite.report
    failed = next((problem.message for problem in report.failed if problem.test == test), None)
    if failed is not None:
        return message("bench-no-figures-failed", name=name, error=failed)
    skipped = next((problem.message for problem in report.skipped if problem.test == test), None)
    if skipped is not None:
        return message("bench-no-figures-skipped", name=name, why=skipped)
    if suite.end is None or not report.finished:
        return message("bench-no-figures-pytest-died", name=name)
    if not suite.ran(test):
        return message("bench-no-figures-not-run", name=name)
    return message("bench-no-figures-not-called", name=name)


def _doubt(
    gate: BenchGate,
    test: str,
    suite: BenchRecording,
    rounds: int,
    found: Judgement,
    settling: Settling,
    figures: dict[str, Any],
) -> tuple[Message, Settle]:
    taken = next(benchmark.taken for benchmark in suite.benchmarks if benchmark.test == test)
    settle = Settle(baseline_runs=settling.baseline_runs, detectable=detectable_of(gate, found))
    if found.observed.high is None:
        return message("gate-too-few-rounds", rounds=rounds, **figures), settle
    if taken > DISTURBED:
        return message("gate-disturbed", taken=taken, **figures), settle
    if gate.baseline:
        return message("gate-rounds-within-noise", **figures), settle
    return message("gate-rounds-too-close", **figures), settle
