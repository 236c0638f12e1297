"""Calls ``harness`` in this process: a fresh one for each of many short commands would take minutes."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.errors import HarnessError


@dataclass
class Said:
    """What a command printed: ``out`` is for programs, ``err`` for people."""

    exit_code: int
    out: str
    err: str
    error: HarnessError | None = None
    """What ended it, if the product refused something."""

    @property
    def code(self) -> str | None:
        """The code of :attr:`error`."""
        return None if self.error is None else self.error.code

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def harness(*words: str | Path, store: str = "", cwd: Path | None = None) -> Said:
    """What ``harness WORDS`` does in ``cwd``, with ``store`` as ``HARNESS_STORE``."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["harness", *map(str, words)])
        patch.setenv("HARNESS_STORE", store)
        if cwd is not None:
            patch.chdir(cwd)
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    cause = ended.value.__context__
    return Said(
        ended.value.code, out.getvalue(), err.getvalue(), error=cause if isinstance(cause, HarnessError) else None
    )
