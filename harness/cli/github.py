"""GitHub Actions: the summary on the job's page, and annotations for gates that did not pass.

Annotations are workflow commands: https://docs.github.com/actions/reference/workflow-commands-for-github-actions. Text
in them is escaped as GitHub's own toolkit does it (actions/toolkit, packages/core/src/command.ts).
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from harness.cli.std_streams import complain
from harness.errors import HarnessError
from harness.plan.model.run import RunPlan
from harness.record.gate_result import GateResult
from harness.record.plain_text import plain
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.report.exporters.markdown import comment_markdown, summary_markdown

_LARGEST = 1024 * 1024
"""GitHub rejects a step summary of more bytes, including what other programs have written there."""

_MOST = 10
"""How many errors, and how many warnings, GitHub shows of a step. It drops the others silently."""
_Level = Literal["error", "warning"]
_Annotation = tuple[str, str]
"""Title and message."""


def in_github_job() -> bool:
    """Whether this process is a step of a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def as_text_only(text: str) -> str:
    """``text``, wrapped so that GitHub executes no line of it as a workflow command: it may quote the target."""
    token = secrets.token_hex(16)
    return f"::stop-commands::{token}\n{text}::{token}::\n"


def report_to_github(folder: RunFolder, summary: Summary) -> None:
    """Print the annotations to standard error, which GitHub reads, and append to ``GITHUB_STEP_SUMMARY``."""
    for line in workflow_commands(summary, _scenario_file(folder)):
        print(line, file=sys.stderr, flush=True)
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if not page:
        return
    path = Path(page)
    try:
        written = path.stat().st_size if path.exists() else 0
        texts = [f"{text(summary)}\n".encode() for text in (summary_markdown, comment_markdown)]
        fits = [text for text in texts if written + len(text) <= _LARGEST]
        with path.open("ab") as file:
            file.write(fits[0] if fits else b"")
    except OSError as error:
        complain(f"the job's summary could not be written: {error}")


def _scenario_file(folder: RunFolder) -> str | None:
    """The scenario's path in the repository; None if it lies elsewhere or is not known."""
    try:
        return repository_path(read_model(folder.plan, RunPlan).scenario.path)
    except HarnessError:  # the annotation then names no file
        return None


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
