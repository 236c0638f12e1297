"""The last lines of what a target wrote, short enough to show."""

from __future__ import annotations

import os
from pathlib import Path

_LINES = 15
_LINE_LENGTH = 300
_BYTES_READ = 64 * 1024
"""A target may write any amount before it fails; the reason is in the last lines."""


def last_lines(log: Path, starts: int = 0) -> list[str]:
    """The last lines from the byte ``starts`` on; none if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(starts, file.seek(0, os.SEEK_END) - _BYTES_READ))
            output = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line[:_LINE_LENGTH] for line in output.strip().splitlines()[-_LINES:]]
