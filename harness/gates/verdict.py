"""The verdict: one word and one exit code for the whole run, and why.

A run that is not valid is ``broken``, whatever its gates say; else one that was interrupted is ``inconclusive`` (exit
code 130); else the worst gate decides: ``fail`` before ``inconclusive`` before ``pass``. A scenario that sets Locust's
``environment.process_exit_code`` has judged the run itself: it failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.engine.request_failures import HOST_NOT_ALLOWED
from harness.errors import ExitCode
from harness.record.journal import EndReason, Journal
from harness.record.summary import GateResult, GateStatus, PhaseSummary, Verdict
from harness.recording.run import RunRecording

_BROKEN_ENDS: dict[EndReason, str] = {
    "target lost": "the target was lost: it died or stopped answering; target.log may tell why",
    "workers lost": "the load workers were lost; harness.log tells why",
    "error": "the run ended on an error; harness.log tells which",
}
_LOST = ("worker lost", "workers lost", "report refused")
"""Events that tell of requests that are lacking."""
PARTLY = "what ran is reported, not judged as a whole"


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    exit_code: ExitCode
    reasons: list[str]


def decide(
    run: RunRecording,
    phases: Sequence[PhaseSummary],
    results: Sequence[GateResult],
    *,
    verify_interrupted: bool = False,
) -> Decision:
    """The verdict of a run, from how it ended and what its gates gave."""
    failed, unsure = told(results)
    failed += [event.message for event in run.journal.events if event.what == "exit code"]
    broken = _broken(run, phases, results)
    interrupted = None
    if run.journal.end_reason == "interrupted":
        interrupted = f"the run was interrupted after {run.journal.last_s:.0f} s: {PARTLY}"
    elif verify_interrupted:
        interrupted = "the run was interrupted while the scenario's `verify` ran"
    return weighed(results, failed=failed, unsure=unsure, broken=broken, interrupted=interrupted)


def weighed(
    results: Sequence[GateResult],
    *,
    failed: list[str],
    unsure: list[str],
    broken: list[str],
    interrupted: str | None,
) -> Decision:
    """The verdict, from why the run was interrupted or is not valid, and from what failed or could not be told."""
    if interrupted:
        return Decision("inconclusive", ExitCode.INTERRUPTED, [interrupted, *broken, *failed])
    if broken:
        return Decision("broken", ExitCode.BROKEN, [*broken, *failed])
    if failed:
        return Decision("fail", ExitCode.FAIL, [*failed, *unsure])
    if unsure:
        return Decision("inconclusive", ExitCode.INCONCLUSIVE, unsure)
    if not results:
        return Decision("pass", ExitCode.PASS, ["there are no gates: nothing was required of this run"])
    held = "the gate held" if len(results) == 1 else f"all {len(results)} gates held"
    return Decision("pass", ExitCode.PASS, [held])


def _broken(run: RunRecording, phases: Sequence[PhaseSummary], results: Sequence[GateResult]) -> list[str]:
    """Why the run itself is not valid; empty where it is."""
    journal = run.journal
    reasons: list[str] = []
    if journal.end_reason is None:
        reasons.append(f"the run was killed after {journal.last_s:.0f} s: what had been recorded by then is reported")
    elif journal.end_reason in _BROKEN_ENDS:
        reasons.append(_BROKEN_ENDS[journal.end_reason])
    reasons += [event.message for event in journal.events if event.what in _LOST]
    if journal.end_reason in ("done", "gate failed", "scenario") and not any(phase.requests for phase in phases):
        reasons.append("not a single request was recorded")
    reasons += _refused(journal, phases)
    reasons += _voided(phases, results)
    return reasons


def _refused(journal: Journal, phases: Sequence[PhaseSummary]) -> list[str]:
    """Where the guard rails let no request through, there was no load to judge."""
    refused = [failure for failure in journal.failures if failure.failure.startswith(HOST_NOT_ALLOWED)]
    requests = sum(phase.requests for phase in phases)
    if not refused or sum(failure.count for failure in refused) < requests:
        return []
    return [f"not a single request was let through: {refused[0].failure}"]


def _voided(phases: Sequence[PhaseSummary], results: Sequence[GateResult]) -> list[str]:
    """Where the generator was the limit in every phase that counts, the run says nothing about the target."""
    read = {result.phase for result in results if result.phase is not None}
    counted = [phase for phase in phases if phase.measured and (phase.name in read or not read)]
    limited = [phase for phase in counted if phase.generator_limited]
    if not counted or len(limited) < len(counted):
        return []
    return [f"the load generator was the limit wherever the run was measured: {limited[0].generator_limited}"]


def told(results: Sequence[GateResult]) -> tuple[list[str], list[str]]:
    """What is said of the gates that failed, and of those that could not be told."""
    failed = [_said(result) for result in results if result.status == "fail"]
    return failed, [_said(result) for result in results if result.status == "inconclusive"]


def _said(result: GateResult) -> str:
    where = f" on {result.endpoint}" if result.endpoint else ""
    when = f" in {result.phase}" if result.phase else ""
    words: dict[GateStatus, str] = {"pass": "held", "fail": "failed", "inconclusive": "is inconclusive"}
    return f"gate `{result.require}`{where}{when} {words[result.status]}: {result.reason}"
