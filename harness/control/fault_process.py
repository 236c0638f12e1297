"""Starts the process that carries out faults, which outlives this one to undo them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.control.json_lines import JsonLines
from harness.faults.orders import Setup

_ENDS_S = 5.0
"""How long it may take to end after its output has ended."""


class FaultProcess:
    """Starts when it is created; ``log`` takes its standard error, which is empty unless something is wrong."""

    def __init__(self, setup: Setup, log: Path) -> None:
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.faults"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                start_new_session=True,  # Ctrl-C at the terminal is for the harness to handle
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._stdin = self._child.stdin
        self._stdout = self._child.stdout
        self._lines = JsonLines(self._stdout.fileno())
        self._write(setup.model_dump_json())

    def send(self, **order: Any) -> None:
        """Harmless if the process has ended."""
        self._write(json.dumps(order))

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            self._stdin.write(f"{line}\n".encode())

    def read(self, timeout_s: float = 0.0) -> list[dict[str, Any]]:
        """What it has said since the last call; waits up to ``timeout_s`` for the first line."""
        return self._lines.read(timeout_s)

    @property
    def has_ended(self) -> bool:
        """Whether it, and what it has forked, has ended."""
        return self._lines.has_ended

    @property
    def is_stopped(self) -> bool:
        """Whether it, or a process that it has forked, is stopped (SIGSTOP)."""
        import psutil  # only here: few runs have faults

        with suppress(psutil.Error):
            guard = psutil.Process(self._child.pid)
            return any(each.status() == psutil.STATUS_STOPPED for each in (guard, *guard.children()))
        return False

    def wake(self) -> None:
        """Make it continue if it is stopped, because it must undo the active faults."""
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGCONT)

    def close_orders(self) -> None:
        """Send no more orders: it undoes what is left, and ends."""
        self._stdin.close()

    def discard(self) -> None:
        """Stop listening to it."""
        self.close_orders()
        self.wake()
        self._stdout.close()
        with suppress(subprocess.TimeoutExpired):  # it continues, to undo the active faults
            self._child.wait(_ENDS_S if self.has_ended else 0)
