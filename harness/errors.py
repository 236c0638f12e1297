"""The one error a user can cause: what is wrong, where, and what would be right.

Raised anywhere, caught once (in ``harness.cli``), printed as one message without a traceback.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class ExitCode(IntEnum):
    """What ``harness`` tells the shell. Public: CI jobs rely on it."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    BROKEN = 4
    INTERRUPTED = 130


class HarnessError(Exception):
    """A fault the user can mend.

    ``message`` says what is wrong, ``where`` names the file, line or key (``profiles/load.toml:12: phase[0].rate``),
    ``hint`` says what would be right. ``exit_code`` is 2 for wrong input and 4 for a run that could not be made.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        exit_code: ExitCode = ExitCode.USAGE,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  {self.hint}" if self.hint else text


class ManyFaultsError(HarnessError):
    """Several faults of one input, told at once. ``faults`` holds each; the exit code is that of the first."""

    def __init__(self, faults: list[HarnessError]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults), exit_code=faults[0].exit_code)
        self.faults = faults


def first_fault(of: ValidationError) -> str:
    """The first thing that is wrong with data that a program wrote: its key and what pydantic says of it."""
    first = of.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    return f"{key}: {first['msg']}" if key else first["msg"]


def how_to_install(extra: str) -> str:
    """The hint where an optional part is missing: from where the harness itself came, which is no package index."""
    return f"uv sync --extra {extra} (in a project of your own: uv add --dev harness --extra {extra})"
