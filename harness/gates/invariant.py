"""The scenario's ``verify`` as a gate: what must be true of the target after the run, whatever its speed.

``verify.json`` holds ``{"status": "pass" | "fail" | "error" | "interrupted", "message": str, "duration_s": float}``;
``error`` means that ``verify`` itself broke, and so that nothing was checked.
"""

from __future__ import annotations

from harness.errors import HarnessError
from harness.record.run_folder import RunFolder, read_json
from harness.record.summary import GateResult


def verify_result(folder: RunFolder) -> GateResult:
    """The result of the invariant gate. Raises :class:`HarnessError` where ``verify.json`` is damaged."""
    if not folder.verification.exists():
        return GateResult(
            require="verify",
            status="inconclusive",
            reason="the scenario's `verify` did not run, so nothing was checked",
        )
    found = read_json(folder.verification)
    status = found.get("status") if isinstance(found, dict) else None
    message = str(found.get("message") or "") if isinstance(found, dict) else ""
    if status == "pass":
        return GateResult(require="verify", status="pass", reason=message or "the scenario's invariants hold")
    if status == "fail":
        return GateResult(
            require="verify",
            status="fail",
            reason=f"an invariant of the scenario is broken: {message}",
        )
    if status == "error":
        return GateResult(
            require="verify", status="inconclusive", reason=f"`verify` itself broke, so nothing was checked: {message}"
        )
    if status == "interrupted":
        return GateResult(
            require="verify", status="inconclusive", reason="`verify` was interrupted, so not all was checked"
        )
    raise HarnessError("status: neither pass, fail, error nor interrupted", where=str(folder.verification))


def verify_was_interrupted(folder: RunFolder) -> bool:
    """Whether the user ended the run while its invariants were checked."""
    found = read_json(folder.verification) if folder.verification.exists() else None
    return isinstance(found, dict) and found.get("status") == "interrupted"
