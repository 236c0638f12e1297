"""How a child that runs user code answers: one JSON value, apart from anything the user code prints."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

_LONGEST = 500


def claim_stdout() -> int:
    """Keep standard output for the result; from now on, what user code prints goes to standard error."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def answer(stdout: int, value: Any) -> None:
    """Write the child's one result to what :func:`claim_stdout` gave."""
    sys.stdout.flush()
    with os.fdopen(stdout, "w", encoding="utf-8") as result:
        json.dump(value, result)


def blame(error: BaseException, scenario: Path) -> dict[str, str]:
    """An error of user code: what it says, and the last line of the scenario's folder that it came through."""
    where = str(scenario)
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}"
        return {"message": one_line(f"not valid Python: {error.msg}"), "where": where}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(scenario.parent):
            where = f"{frame.filename}:{frame.lineno}"
            break
    text = str(error)
    name = type(error).__name__
    return {"message": one_line(f"{name}: {text}" if text else name), "where": where}


def one_line(message: str) -> str:
    """A message of user code on one line, cut to 500 characters, and of characters that UTF-8 can hold."""
    line = " ".join(message.encode("utf-8", errors="replace").decode("utf-8").split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
