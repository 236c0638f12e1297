"""Only regular files of a run folder are read: opening a pipe would wait forever."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError


def regular_file(path: Path) -> Path:
    """``path`` itself, which may not exist. Raises :class:`HarnessError` if it is a pipe, a device or a folder."""
    if path.exists() and not path.is_file():
        raise HarnessError("not-a-file", where=str(path))
    return path
