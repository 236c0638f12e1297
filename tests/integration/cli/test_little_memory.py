"""Too little memory is a problem of the machine: one message, exit code 4, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("error", ["MemoryError", "ImportError('lib.so.1: failed to map segment from shared object')"])
def test_too_little_memory_for_a_library_is_one_message(error: str, tmp_path: Path) -> None:
    (tmp_path / "sqlalchemy.py").write_text(f"raise {error}\n")  # found first, as -m looks in this folder
    done = subprocess.run(
        [sys.executable, "-m", "harness", "runs"], cwd=tmp_path, check=False, timeout=60, stderr=subprocess.PIPE
    )
    assert done.returncode == 4
    assert b"Cannot allocate memory" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_library_that_is_broken_is_reported_with_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "sqlalchemy.py").write_text("raise ImportError('half of it is missing')\n")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "runs"], cwd=tmp_path, check=False, timeout=60, stderr=subprocess.PIPE
    )
    assert done.returncode == 4
    assert b"half of it is missing" in done.stderr
    assert b"Traceback" in done.stderr
