"""Files of a run folder are ordinary ones: what is not would be waited for, for ever."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError


def ordinary(path: Path) -> Path:
    """``path`` itself, which may be missing. Raises :class:`HarnessError` where it is a pipe, a device or a folder."""
    if path.exists() and not path.is_file():
        raise HarnessError(
            "the file cannot be read: it is no ordinary one",
            where=str(path),
            hint="Copy the run folder again from where it was made.",
        )
    return path
