"""Starts child processes and sets them up: end with the parent, log redacted lines, take variables, open many files."""

from __future__ import annotations

import atexit
import ctypes
import json
import logging
import os
import resource
import signal
import sys
from argparse import Namespace
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from harness.plan.model import RunPlan
from harness.record.redacted_lines import RedactedStream
from harness.record.redaction import add_secret_names

TARGET_VARIABLE = "HARNESS_TARGET_URL"
DESCRIBE_VARIABLE = "HARNESS_DESCRIBE_REQUEST"
"""The environment variables by which the controller passes what may contain secrets: every user can see arguments,
but only the same user and root can see an environment.
"""
_PR_SET_PDEATHSIG = 1


def child_command(module: str, **options: object) -> list[str]:
    """The command that runs ``module`` as a child of this process; it gets the options by :func:`child_options`."""
    arguments = json.dumps({"parent": os.getpid(), **options})
    # -P: modules come from where they are installed, never from the working folder, which may hold a locust.py.
    return [sys.executable, "-P", "-m", "harness.quick_start", module, arguments]


def child_options() -> Namespace:
    """The options that :func:`child_command` was given.

    From now on, the kernel kills this process as soon as its parent ends, however it ends (Linux, ``prctl(2)``). If the
    parent has already ended, this process ends at once.
    """
    given = Namespace(**json.loads(sys.argv[1]))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != given.parent:
        sys.exit(f"the parent process {given.parent} has ended")
    return given


def take(variable: str) -> str:
    """The value of a variable; it is removed, so that no process that a scenario starts inherits it."""
    return os.environ.pop(variable)


def set_up_load_process(role: str, plan_file: str, index: int | None = None) -> RunPlan:
    """Set up the master, or the worker with that number; returns the plan."""
    _log_to_stderr(role if index is None else f"{role}-{index}")
    allow_many_files()
    plan = RunPlan.model_validate_json(Path(plan_file).read_text(encoding="utf-8"))
    add_secret_names(plan.secret_names)
    np.unique(np.zeros(0))  # the first call takes some 20 ms, for which all users would wait
    # As in Locust's own distributed mode: locustfiles search it for their role.
    sys.argv = ["locust", "-f", ",".join(plan.scenario.locustfiles), f"--{role}", *plan.arguments]
    return plan


def _log_to_stderr(name: str) -> None:
    """The controller collects the lines in ``harness.log``. They and what a scenario prints are redacted."""
    stdout, stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, stdout), cast(TextIO, stderr)
    atexit.register(stdout.close)
    atexit.register(stderr.close)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s"
    )


def allow_many_files() -> int:
    """Raise this process's limit of open files to the maximum, and return it: each connection is one.

    The usual limit is 1,024, for programs that use ``select(2)``; the maximum is usually 20,000 or more.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
