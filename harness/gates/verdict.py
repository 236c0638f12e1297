"""The verdict: one word and one exit code for the whole run, and why.

A run that is not valid is ``broken``, whatever its gates found. Otherwise one that was interrupted is ``inconclusive``
(exit code 130). Otherwise the worst gate decides: ``fail`` before ``inconclusive`` before ``pass``. A scenario that
sets Locust's ``environment.process_exit_code`` has judged the run itself: it failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.analysis.killed_on_purpose import fault_that_ended_target
from harness.analysis.process_ends import ends_of
from harness.errors import ExitCode
from harness.messages import Message, message
from harness.plan.duet import of_build
from harness.record.gate_result import GateResult
from harness.record.journal import Journal
from harness.record.journal_entries import HOST_NOT_ALLOWED
from harness.record.phase_summary import PhaseSummary
from harness.record.run_events import REQUESTS_MISSING
from harness.record.summary import Verdict
from harness.recording.run import RunRecording


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    exit_code: ExitCode
    reasons: list[Message]


def decide(run: RunRecording, phases: Sequence[PhaseSummary], results: Sequence[GateResult]) -> Decision:
    """The verdict of a run, from how it ended and what its gates found."""
    failed = [event.message for event in run.journal.events if event.kind == "exit code"]
    interrupted = None
    if run.journal.end_reason == "interrupted":
        interrupted = message("run-was-interrupted", seconds=run.journal.last_s)
    elif any(result.code == "invariant-check-interrupted" for result in results):
        interrupted = message("run-interrupted-in-verify")
    broken = _broken(run, phases, results)
    in_order = run.journal.end_reason in ("done", "gate failed", "decided", "scenario")
    if not in_order or any(phase.requests for phase in phases):
        return weigh(results, failed=failed, broken=broken, interrupted=interrupted)
    raised = _raised_instead(run.journal)
    if results or raised:
        broken = [*broken, message("no-requests"), *raised]
        return weigh(results, failed=failed, broken=broken, interrupted=interrupted)
    # A file that only prints, for example, is not a mistake: nothing requires requests.
    decision = weigh(results, failed=failed, broken=broken, interrupted=interrupted)
    return replace(decision, reasons=[*decision.reasons, message("no-requests")])


def _raised_instead(journal: Journal) -> list[Message]:
    """Errors of user code in a run without requests: they may be the reason."""
    said = [event.message for event in journal.events if event.kind == "scenario"]
    once = [each.params["error"] if each.code == "scenario-error-repeated" else each for each in said]
    return [each for each in once if isinstance(each, Message) and each.code in ("task-raised", "user-not-created")]


def weigh(
    results: Sequence[GateResult],
    *,
    failed: Sequence[Message] = (),
    unsure: Sequence[Message] = (),
    broken: Sequence[Message],
    interrupted: Message | None,
) -> Decision:
    """The verdict from what gates found, and from what else failed, is uncertain, or makes the run invalid."""
    failed = [*(reason_of(result) for result in results if result.status == "fail"), *failed]
    unsure = [*(reason_of(result) for result in results if result.status == "inconclusive"), *unsure]
    if interrupted:
        return Decision("inconclusive", ExitCode.INTERRUPTED, [interrupted, *broken, *failed])
    if broken:
        return Decision("broken", ExitCode.BROKEN, [*broken, *failed])
    if failed:
        return Decision("fail", ExitCode.FAIL, [*failed, *unsure])
    if unsure:
        return Decision("inconclusive", ExitCode.INCONCLUSIVE, unsure)
    if not results:
        reason = message("no-gates")
    elif len(results) == 1:
        reason = message("gate-held")
    else:
        reason = message("gates-held", count=len(results))
    return Decision("pass", ExitCode.PASS, [reason])


def _broken(run: RunRecording, phases: Sequence[PhaseSummary], results: Sequence[GateResult]) -> list[Message]:
    """Why the run itself is not valid; empty where it is."""
    journal = run.journal
    reasons: list[Message] = []
    match journal.end_reason:
        case None:
            reasons.append(message("run-was-killed", seconds=journal.last_s))
        case "target lost":
            ends = [of_build(end.variant, end.notice.message()) for end in ends_of(run) if end.root]
            end = ends[0] if ends else message("target-died-or-silent")
            if (fault := fault_that_ended_target(run)) is not None:
                end = message("target-ended-by-fault", fault=fault)
            if all(variant.target.kind == "attached" for variant in run.plan.targets):  # then there is no log of it
                reasons.append(message("attached-target-was-lost", end=end))
            else:
                logs = [path.name for path in run.folder.target_logs.values()]
                reasons.append(message("target-was-lost", end=end, logs=logs or [run.folder.target_log.name]))
        case "workers lost":
            reasons.append(message("workers-lost"))
        case "proxies lost":
            reasons.append(message("proxies-ended"))
        case "error":
            reasons.append(message("run-error"))
    reasons += [event.message for event in journal.events if event.kind in REQUESTS_MISSING]
    reasons += _refused(journal, phases)
    reasons += _generator_limited(phases, results)
    return reasons


def _refused(journal: Journal, phases: Sequence[PhaseSummary]) -> list[Message]:
    """Where the guard rails let no request through, there was no load to judge."""
    refused = [failure for failure in journal.failures if failure.code == HOST_NOT_ALLOWED]
    requests = sum(phase.requests for phase in phases)
    if not refused or sum(failure.count for failure in refused) < requests:
        return []
    return [message("all-hosts-refused", failure=refused[0].failure)]


def _generator_limited(phases: Sequence[PhaseSummary], results: Sequence[GateResult]) -> list[Message]:
    """Where the generator was the limit in every phase that counts, the run proves nothing that a gate asked for."""
    read = {result.phase for result in results if result.phase is not None}
    if read and not any(result.code == "gate-generator-limited" for result in results):
        return []  # nothing that gates read depends on it
    counted = [phase for phase in phases if phase.measured and (phase.name in read or not read)]
    limited = [phase for phase in counted if phase.generator_limited and phase.capacity is None]
    if not counted or len(limited) < len(counted):
        return []
    return [message("generator-limited", why=limited[0].generator_limited)]


@dataclass(frozen=True, slots=True)
class GateName:
    """A gate as a sentence names it: ``gate `p95 < 500ms` on POST /checkout in steady``."""

    require: str
    endpoint: str | None
    phase: str | None

    def __str__(self) -> str:
        on = f" on {self.endpoint}" if self.endpoint else ""
        during = f" in {self.phase}" if self.phase else ""
        return f"gate `{self.require}`{on}{during}"


def reason_of(result: GateResult) -> Message:
    """What a gate that failed, or was inconclusive, contributes to the reasons of the verdict."""
    gate = GateName(result.require, result.endpoint, result.phase)
    if result.status == "fail":
        return message("gate-failed", gate=gate, reason=result.reason)
    return message("gate-inconclusive", gate=gate, reason=result.reason)
