"""What the scenario's ``verify`` found, as ``verify.json`` keeps it.

``{"status": "pass" | "fail" | "error" | "interrupted", "message": str, "duration_s": float, "checks": […]}``;
``error``: ``verify`` itself raised, so that not everything was checked.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast, get_args

from pydantic import BaseModel, StrictBool, TypeAdapter, ValidationError

from harness.errors import HarnessError
from harness.record.run_folder import RunFolder, not_of_the_format, read_json

Status = Literal["pass", "fail", "error", "interrupted"]


class NamedCheck(BaseModel):
    """A named check, which holds or not, or a named figure."""

    name: str
    value: StrictBool | float
    detail: str = ""


class VerifyResult(NamedTuple):
    """What ``verify`` found. ``text`` says why it did not pass."""

    status: Status
    text: str
    checks: list[NamedCheck]

    @property
    def invariants(self) -> list[NamedCheck]:
        """Its named checks."""
        return [check for check in self.checks if isinstance(check.value, bool)]

    @property
    def figures(self) -> dict[str, float]:
        """Its named figures."""
        return {check.name: check.value for check in self.checks if not isinstance(check.value, bool)}


_CHECKS = TypeAdapter(list[NamedCheck])


def read_verification(folder: RunFolder) -> VerifyResult | None:
    """What ``verify.json`` says; None if ``verify`` did not run. Raises :class:`HarnessError` if it is damaged."""
    if not folder.verification.exists():
        return None
    data = read_json(folder.verification)
    found = data if isinstance(data, dict) else {}
    status = found.get("status")
    if status not in get_args(Status):
        raise HarnessError("verify-status-unknown", where=str(folder.verification), status=status)
    try:
        checks = _CHECKS.validate_python(found.get("checks", []))
    except ValidationError as error:
        raise not_of_the_format(folder.verification, error) from error
    return VerifyResult(cast(Status, status), str(found.get("message") or ""), checks)
