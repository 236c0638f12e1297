"""What every load process does first: die with its parent, log to one place, and a worker may open many files."""

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
"""In which variables the controller tells what may hold a user's secrets: an argument is everybody's to see, an
environment the kernel shows to its own user (and root) only.
"""
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Be killed by the kernel as soon as the parent ends, however it ends (Linux, ``prctl(2)``).

    Where the parent, ``parent_pid``, had ended before this call, the process ends at once.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(f"the parent process {parent_pid} has ended")


def take(variable: str) -> str:
    """What the controller told in that variable; taken out there, so no process that a scenario starts gets it."""
    return os.environ.pop(variable)


def log_to_stderr(name: str) -> None:
    """Log lines of this process carry its name; the controller collects them in ``harness.log``.

    They, and what a scenario prints, hold no secrets (``harness.record.redaction``).
    """
    stdout, stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, stdout), cast(TextIO, stderr)
    atexit.register(stdout.close)
    atexit.register(stderr.close)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s"
    )


def allow_many_files() -> int:
    """Raise this process's limit of open files as far as it may go, and return it: each connection is one.

    Usual limits are 1,024, for programs that use ``select(2)``, but 20,000 and more for those that ask.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
