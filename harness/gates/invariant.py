"""The scenario's ``verify`` as a gate: what must be true of the target after the run, whatever its speed.

``verify.json`` holds ``{"status": "pass" | "fail" | "error" | "interrupted", "message": str, "duration_s": float}``;
``error`` means that ``verify`` itself raised, so that nothing was checked.
"""

from __future__ import annotations

from harness.errors import HarnessError
from harness.messages import Message, message
from harness.record.run_folder import RunFolder, read_json
from harness.record.summary import GateResult, GateStatus


def verify_result(folder: RunFolder) -> GateResult:
    """The result of the invariant gate. Raises :class:`HarnessError` where ``verify.json`` is damaged."""
    status, reason = _finding(folder)
    return GateResult(require="verify", status=status).because(reason)


def _finding(folder: RunFolder) -> tuple[GateStatus, Message]:
    if not folder.verification.exists():
        return "inconclusive", message("invariant-check-not-run")
    found = read_json(folder.verification)
    status = found.get("status") if isinstance(found, dict) else None
    text = str(found.get("message") or "") if isinstance(found, dict) else ""
    match status:
        case "pass" if text:
            return "pass", message("invariants-passed", message=text)
        case "pass":
            return "pass", message("invariants-held")
        case "fail":
            return "fail", message("invariant-broken", message=text)
        case "error":
            return "inconclusive", message("invariant-check-raised", message=text)
        case "interrupted":
            return "inconclusive", message("invariant-check-interrupted")
    raise HarnessError("verify-status-unknown", where=str(folder.verification), status=status)
