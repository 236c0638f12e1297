"""The gates of a bench: what each observed of a benchmark, and whether it held."""

from __future__ import annotations

from functools import partial
from typing import Any

from harness.analysis.rounds import DISTURBED
from harness.gates.requirement import Finding, judged
from harness.gates.run_gates import no_baseline
from harness.messages import Message, alternatives, message
from harness.plan.bench import BenchGate, name_of, reads
from harness.record.measurement import BENCHMARKS, Figures, Interval
from harness.record.summary import GateResult
from harness.recording.bench import BenchRecording


def results_of(
    gate: BenchGate, suite: BenchRecording, figures: dict[str, Figures], *, asked_since: bool = False
) -> list[GateResult]:
    """What ``gate`` gives: one result for each benchmark that it names and that was to run.

    None where the bench's own call has left all of them out, which :func:`left_out` reports. A gate that was
    ``asked_since`` is then inconclusive, because nobody meant to leave it out.
    """
    report = suite.report
    named = [test for test in report.benchmarks if reads(gate.benchmark, test)]
    if named:
        return [_result(gate, test, suite, figures.get(test)) for test in named]
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


def _result(gate: BenchGate, test: str, suite: BenchRecording, figures: Figures | None) -> GateResult:
    names_several = gate.benchmark not in (test, name_of(test))
    return _finding(gate, test, suite, figures).result(gate, endpoint=suite.shown(test) if names_several else None)


def _finding(gate: BenchGate, test: str, suite: BenchRecording, figures: Figures | None) -> Finding:
    if figures is None:
        return Finding("inconclusive", _why_no_figures(test, suite))
    observed = figures.get(gate.metric)
    if observed is None:
        return Finding(
            "inconclusive",
            message("gate-memory-not-measured", metric=gate.metric),
        )
    baselines: list[Interval] = []
    if gate.baseline and suite.baseline is not None:
        baselines = suite.baseline.figures(BENCHMARKS, test, gate.metric)
    if gate.baseline and not baselines:
        return Finding("inconclusive", _why_no_baseline(gate, suite), observed)
    return judged(gate, observed, baselines, partial(_doubt, gate, test, suite, int(figures["rounds"].value)))


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


def _why_no_baseline(gate: BenchGate, suite: BenchRecording) -> Message:
    run = str(suite.folder.path)
    if suite.baseline is None:
        return no_baseline(suite.no_baseline, run)
    # Without the benchmark's name, so that many results with one reason are shown together.
    return message("baseline-lacks-benchmark", metric=gate.metric, run=run)


def _doubt(
    gate: BenchGate,
    test: str,
    suite: BenchRecording,
    rounds: int,
    observed: Interval,
    limit: float,  # noqa: ARG001  (as for gates of a run)
    figures: dict[str, Any],
) -> Message:
    taken = next(benchmark.taken for benchmark in suite.benchmarks if benchmark.test == test)
    if observed.high is None:
        return message("gate-too-few-rounds", rounds=rounds, **figures)
    if taken > DISTURBED:
        return message("gate-disturbed", taken=taken, **figures)
    if gate.baseline:
        return message("gate-rounds-within-noise", **figures)
    return message("gate-rounds-too-close", **figures)
