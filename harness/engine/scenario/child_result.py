"""How a child process that runs user code returns its result: one JSON value."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NamedTuple

_LONGEST = 500


class RaisedError(NamedTuple):
    """An error of user code: its text, and the last line of the scenario's folder in its traceback."""

    error: str
    location: str


def claim_stdout() -> int:
    """Keep standard output for the result; from now on, what user code prints goes to standard error."""
    stdout = os.dup(1)
    os.dup2(2, 1)
    return stdout


def write_result(stdout: int, value: Any) -> None:
    """Write the child's one result to what :func:`claim_stdout` returned."""
    sys.stdout.flush()
    with os.fdopen(stdout, "w", encoding="utf-8") as result:
        json.dump(value, result)


def locate(error: BaseException, scenario: Path) -> RaisedError:
    """What ``error`` says and where the scenario raised it, as ``FILE:LINE``; the file alone if no line is known."""
    location = str(scenario)
    if isinstance(error, SyntaxError) and error.filename:
        return RaisedError(one_line(f"not valid Python: {error.msg}"), f"{error.filename}:{error.lineno}")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(scenario.parent):
            location = f"{frame.filename}:{frame.lineno}"
            break
    text = str(error)
    name = type(error).__name__
    return RaisedError(one_line(f"{name}: {text}" if text else name), location)


def one_line(text: str) -> str:
    """Text of user code on one line, cut to 500 characters, without characters that UTF-8 cannot encode."""
    line = " ".join(text.encode("utf-8", errors="replace").decode("utf-8").split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
