"""A process of another user, among those that a program without the permission to kill it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.requirements import require_program, require_root

START_STRANGER = """
import os, pathlib, subprocess, sys

noted = pathlib.Path(os.environ["STRANGER"])
if not noted.exists():
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    command = [*as_nobody, "sh", "-c", "echo on; exec sleep 600"]
    stranger = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    noted.write_text(str(stranger.pid))
    assert stranger.stdout.readline() == b"on\\n"
"""
"""Start of a program that is run :func:`beside_stranger`, or of one that it runs."""


@contextmanager
def beside_stranger(folder: Path, code: str) -> Iterator[tuple[str, int]]:
    """What ``code`` prints, which finds ``folder`` in ``sys.argv[1]``, and the other user's process.

    It runs without the capability by which root kills what other users run.
    """
    require_root()
    noted = folder / "stranger"
    restricted = [require_program("setpriv", "util-linux"), "--bounding-set", "-kill"]
    try:
        done = subprocess.run(
            [*restricted, sys.executable, "-c", code, folder],
            env=os.environ | {"STRANGER": str(noted)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=120,
        )
        yield done.stdout, int(noted.read_text())
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(noted.read_text()), signal.SIGKILL)
