"""What GitHub Actions shows beside a run, and at the scenario's file: a line for each gate that did not hold.

The lines are workflow commands: https://docs.github.com/actions/reference/workflow-commands-for-github-actions. A text
in one is escaped as GitHub's own toolkit does it (actions/toolkit, packages/core/src/command.ts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from harness.record.summary import GateResult, Summary
from harness.report import formatting

_MOST = 10
"""GitHub shows so many errors of a step, and so many warnings, and drops the others without a word."""

_Level = Literal["error", "warning"]


def workflow_commands(summary: Summary, file: str | None = None) -> list[str]:
    """The lines to print: failed gates and a broken run are errors, inconclusive gates warnings.

    ``file`` is the scenario's, relative to the repository, where it lies in one.
    """
    errors: list[tuple[str, str]] = []
    if summary.verdict == "broken":
        errors.append(("the run is broken", "\n".join(summary.reasons) or "it says nothing of the target"))
    errors += [_told(gate) for gate in summary.gates if gate.status == "fail"]
    warnings = [_told(gate) for gate in summary.gates if gate.status == "inconclusive"]
    return [*_commands("error", errors, file), *_commands("warning", warnings, file)]


def _told(gate: GateResult) -> tuple[str, str]:
    within = f" in {gate.phase}" if gate.phase else ""
    return f"{gate.asked}{within}: {gate.status}", gate.reason or gate.status


def _commands(level: _Level, told: Sequence[tuple[str, str]], file: str | None) -> list[str]:
    shown = list(told[:_MOST])
    if len(told) > _MOST:
        shown[-1] = (f"{len(told) - _MOST + 1} more gates", "The job's summary and the report name them all.")
    place = f"file={_property(file)}," if file else ""
    return [f"::{level} {place}title={_property(title)}::{_data(message)}" for title, message in shown]


def _data(text: str) -> str:
    return formatting.plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
