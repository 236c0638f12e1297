"""Sets up a load process: end with the parent, log redacted lines, take variables, allow many open files."""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import resource
import signal
import sys
from typing import TextIO, cast

from harness.record.redacted_lines import RedactedStream

TARGET_VARIABLE = "HARNESS_TARGET_URL"
DESCRIBE_VARIABLE = "HARNESS_DESCRIBE_REQUEST"
"""The environment variables by which the controller passes what may contain secrets: every user can see arguments,
but only the same user and root can see an environment.
"""
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process as soon as its parent ends, however it ends (Linux, ``prctl(2)``).

    If the parent, ``parent_pid``, has already ended, this process ends at once.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(f"the parent process {parent_pid} has ended")


def take(variable: str) -> str:
    """The value of a variable; it is removed, so that no process that a scenario starts inherits it."""
    return os.environ.pop(variable)


def log_to_stderr(name: str) -> None:
    """Log with the process's ``name``; the controller collects the lines in ``harness.log``.

    Log lines and what a scenario prints are redacted (``harness.record.redaction``).
    """
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
