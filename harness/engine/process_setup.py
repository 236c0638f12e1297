"""Sets load processes up: log redacted lines, open many files, look like a process of Locust."""

from __future__ import annotations

import atexit
import logging
import sys
from typing import TextIO, cast

import numpy as np

from harness.open_files import allow_many_files
from harness.plan.model.run import RunPlan
from harness.plan.phases import KINDS, phase_kind
from harness.record.redacted_lines import RedactedStream
from harness.record.redaction import add_secret_names


def set_up_load_process(role: str, plan_json: str, index: int | None = None) -> RunPlan:
    """Set up the master, or the worker with that number; returns the plan."""
    _log_to_stderr(role if index is None else f"{role}-{index}")
    allow_many_files()
    plan = RunPlan.model_validate_json(plan_json)
    add_secret_names(plan.secret_names)
    # As in Locust's own distributed mode: locustfiles search it for their role.
    sys.argv = ["locust", "-f", ",".join(plan.scenario.locustfiles), f"--{role}", *plan.arguments]
    return plan


def warm_up() -> None:
    """What takes milliseconds the first time, for which all users would wait."""
    np.unique(np.zeros(0))
    for kind in KINDS:
        phase_kind(kind)


def _log_to_stderr(name: str) -> None:
    """The controller collects the lines in ``harness.log``. They and what a scenario prints are redacted."""
    stdout, stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, stdout), cast(TextIO, stderr)
    atexit.register(stdout.close)
    atexit.register(stderr.close)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s"
    )
