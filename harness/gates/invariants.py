"""The scenario's ``verify`` as lines of the report: itself, its named checks, gates on its figures."""

from __future__ import annotations

from harness.gates.requirement import Finding, limit_of
from harness.messages import Message, alternatives, message
from harness.metrics.formatting import Amount
from harness.metrics.named import metric_name, name_in
from harness.plan.model.run import Gate
from harness.plan.requirement import Comparison
from harness.record.gate_result import GateResult, GateStatus
from harness.record.measurement import Interval
from harness.record.verification import VerifyResult, read_verification
from harness.recording.run import RunRecording


def verification_of(run: RunRecording) -> VerifyResult | None:
    """What ``verify`` found; None if it did not run. Raises :class:`HarnessError` if its file is damaged."""
    return run.once("verification", lambda: read_verification(run.folder))


def invariant_results(run: RunRecording) -> list[GateResult]:
    """The scenario's ``verify``: what must be true of the target after the run, whatever its speed.

    Its named checks stand for it if it ended in order and has any.
    """
    if not run.plan.scenario.has_verify:
        return []
    found = verification_of(run)
    named = [_named(check.name, check.value is True, check.detail) for check in found.invariants] if found else []
    if found is not None and found.status == "pass" and named:
        return named
    status, reason = _itself(found)
    return [*named, GateResult(require="verify", status=status).because(reason)]


def _named(name: str, holds: bool, detail: str) -> GateResult:
    line = GateResult(require=metric_name("verify", name), status="pass" if holds else "fail")
    if holds:
        return line.because(message("invariants-passed", message=detail) if detail else message("invariant-holds"))
    return line.because(message("invariant-broken", message=detail) if detail else message("invariant-does-not-hold"))


def _itself(found: VerifyResult | None) -> tuple[GateStatus, Message]:
    if found is None:
        return "inconclusive", message("invariant-check-not-run")
    match found.status:
        case "pass" if found.text:
            return "pass", message("invariants-passed", message=found.text)
        case "pass":
            return "pass", message("invariants-held")
        case "fail":
            return "fail", message("invariant-broken", message=found.text)
        case "error":
            return "inconclusive", message("invariant-check-raised", message=found.text)
    return "inconclusive", message("invariant-check-interrupted")


def figure_result(gate: Gate, run: RunRecording) -> GateResult:
    """A gate on a figure of ``verify``, which is exact: ``lost_writes = 0``."""
    return _finding(gate.comparison, verification_of(run)).result(gate.comparison)


def _finding(comparison: Comparison, found: VerifyResult | None) -> Finding:
    name = name_in(comparison.metric)
    value = found.figures.get(name) if found is not None else None
    if value is None:
        if found is None or found.status in ("error", "interrupted"):
            return Finding("inconclusive", _itself(found)[1])
        known = alternatives(name, found.figures)
        return Finding("inconclusive", message("gate-figure-missing", figure=name, known=known))
    limit = limit_of(comparison, None)
    holds = comparison.holds(value, limit)
    figures = {"figure": name, "observed": Amount(value, ""), "required": comparison.source}
    reason = Message("gate-figure-holds" if holds else "gate-figure-broken", figures)
    return Finding("pass" if holds else "fail", reason, Interval.exactly(value), limit)
