"""GitHub Actions: the run's summary on the job's page, and an annotation for each gate that did not pass."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from harness.cli.std_streams import complain
from harness.errors import HarnessError
from harness.plan.model import RunPlan
from harness.record.run_folder import RunFolder, read_model
from harness.record.summary import Summary
from harness.report.exporters.annotations import repository_path, workflow_commands
from harness.report.exporters.markdown import comment_markdown, summary_markdown

_LARGEST = 1024 * 1024
"""GitHub rejects a step summary of more bytes, including what other programs have written there."""


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
