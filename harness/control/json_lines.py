"""Reads the JSON objects that a process writes, one a line, with a limit on the wait for each."""

from __future__ import annotations

import json
import os
import select
from typing import Any


class JsonLines:
    """The lines that come through a pipe."""

    def __init__(self, reader: int) -> None:
        self._reader = reader
        self._received = b""
        self.has_ended = False
        """Whether every writer has closed the pipe."""

    def read(self, timeout_s: float) -> list[dict[str, Any]]:
        """The whole lines since the last call; waits up to ``timeout_s`` for the first."""
        while not self.has_ended and select.select([self._reader], [], [], timeout_s)[0]:
            read = os.read(self._reader, 65536)
            self.has_ended = not read
            self._received += read
            timeout_s = 0.0
        *whole, self._received = self._received.split(b"\n")
        return [json.loads(line) for line in whole]
