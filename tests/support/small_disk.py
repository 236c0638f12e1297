"""A file system of a given size, which a test can fill."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.requirements import not_met, require_root


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """``folder``, newly made, as a file system of its own; skips (in CI: fails) the test where none can be mounted."""
    require_root()
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False).returncode:
        not_met("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Take all that is free."""
    with _filler(folder).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def empty(folder: Path) -> None:
    """Give back what :func:`fill` took."""
    _filler(folder).unlink()


def _filler(folder: Path) -> Path:
    return folder / "filler"
