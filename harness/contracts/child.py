"""Runs native libraries in a process of their own, because input may crash them or stall them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

_POLL_S = 0.1


def run_child(
    module: str, given: bytes, interrupted: Callable[[], bool] = lambda: False
) -> subprocess.CompletedProcess[bytes]:
    """How the ``main`` of a module ended, with ``given`` on its standard input.

    Raises ``KeyboardInterrupt`` as soon as ``interrupted()`` is true.
    """
    with os.fdopen(os.memfd_create("given"), "w+b") as file:  # a pipe would have to be fed while its end is waited for
        file.write(given)
        file.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.quick_start", module],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at the terminal is for the harness to handle
            env={**os.environ, "PACT_DO_NOT_TRACK": "true"},
        )
    try:
        while True:
            try:
                output, errors = child.communicate(timeout=_POLL_S)
                return subprocess.CompletedProcess(child.args, child.returncode, output, errors)
            except subprocess.TimeoutExpired:
                if interrupted():
                    raise KeyboardInterrupt from None
    except BaseException:  # raised again: the process must not outlive this one
        child.kill()
        child.communicate()
        raise
