"""What GitHub Actions shows beside a run and at the scenario's file: a line for each gate that did not pass.

The lines are workflow commands: https://docs.github.com/actions/reference/workflow-commands-for-github-actions. Text
in them is escaped as GitHub's own toolkit does it (actions/toolkit, packages/core/src/command.ts).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from harness.record.plain_text import plain
from harness.record.summary import GateResult, Summary
from harness.report.contents import Exporter, Report

_MOST = 10
"""GitHub shows so many errors and so many warnings of a step. It drops the others without a word."""

_Level = Literal["error", "warning"]
_Annotation = tuple[str, str]
"""Title and message."""


def workflow_commands(summary: Summary, file: str | None = None) -> list[str]:
    """The lines to print: failed gates and a broken run are errors, inconclusive gates warnings.

    ``file`` is the scenario's path from the root of the repository, if it is in one.
    """
    errors: list[_Annotation] = []
    if summary.verdict == "broken":
        errors.append(("the run is broken", "\n".join(summary.reasons) or "its figures say nothing about the target"))
    errors += [_annotation(gate) for gate in summary.gates if gate.status == "fail"]
    warnings = [_annotation(gate) for gate in summary.gates if gate.status == "inconclusive"]
    return [*_commands("error", errors, file), *_commands("warning", warnings, file)]


def repository_path(scenario: str) -> str | None:
    """A scenario's path as GitHub names files; None if it lies outside the repository."""
    path = Path(scenario).resolve()
    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def _annotation(gate: GateResult) -> _Annotation:
    phase = f" in {gate.phase}" if gate.phase else ""
    return f"{gate.asked}{phase}: {gate.status}", gate.reason or gate.status


def _commands(level: _Level, annotations: Sequence[_Annotation], file: str | None) -> list[str]:
    shown = list(annotations[:_MOST])
    if len(annotations) > _MOST:
        shown[-1] = (f"{len(annotations) - _MOST + 1} more gates", "The job's summary and the report list them all.")
    location = f"file={_property(file)}," if file else ""
    return [f"::{level} {location}title={_property(title)}::{_data(message)}" for title, message in shown]


def _data(text: str) -> str:
    return plain(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _render(report: Report) -> str:
    file = repository_path(report.run.plan.scenario.path) if report.run else None
    return "".join(f"{line}\n" for line in workflow_commands(report.summary, file))


ANNOTATIONS = Exporter("annotations", None, _render)
