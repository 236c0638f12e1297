"""Names of stack frames that are equal on every machine and in every run: ``function (path.py:line)``.

The path is as short as possible: relative to ``site-packages`` or the standard library, to the working folder, or else
to the outermost package that holds the file. Process ids, ports and interpreter paths are left out, since they differ
between two runs that are compared.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

_LIBRARY = re.compile(r"^.*/(?:(?:site|dist)-packages|lib(?:64)?/python3\.\d+t?)/")
_PROCESS = re.compile(r'process (\d+):"(.*?)";(?=process \d+:"|[^;]* \(|<)')
_FRAME = re.compile(r"^(?P<function>.*) \((?P<path>.*?)(?::(?P<line>\d+))?\)$")


def frame(function: str, path: str, line: int | None, *, anywhere: bool = False) -> str:
    """One frame of a folded profile, in which ``;`` separates frames."""
    short = short_path(path, anywhere=anywhere)
    where = short if line is None else f"{short}:{line}"
    return f"{function} ({where})".replace(";", ",").replace("\n", " ")


@cache
def short_path(path: str, *, anywhere: bool = False) -> str:
    """``path`` (absolute) as this module's docstring says; one in angle brackets (``<string>``) stays as it is.

    With ``anywhere`` the working folder does not matter.
    """
    if not path.startswith("/"):
        return path
    inside = _LIBRARY.sub("", path)
    if inside != path:
        return inside
    file = Path(path)
    if not anywhere and file.is_relative_to(Path.cwd()):
        return str(file.relative_to(Path.cwd()))
    root = file.parent
    while (root / "__init__.py").exists() and root != root.parent:
        root = root.parent
    return str(file.relative_to(root))


def from_py_spy(line: str, root_pid: int, *, anywhere: bool = False) -> tuple[str, ...] | None:
    """The frames of a line of py-spy's raw output, without its weight. None if it has no frame.

    ``root_pid`` needs no frame for its process; in its descendants the outermost frame is ``process NAME``.
    ``anywhere`` is as in :func:`short_path`.
    """
    innermost: tuple[int, str] | None = None
    while found := _PROCESS.match(line):
        innermost = int(found[1]), found[2]
        line = line[found.end() :]
    frames = []
    if innermost is not None and innermost[0] != root_pid:
        frames.append(f"process {process_name(innermost[1])}")
    for text in line.split(";"):
        part = _FRAME.match(text)
        if part is None:  # a name without a file, such as <shim>
            frames.append(text)
        else:
            line_number = int(part["line"]) if part["line"] else None
            frames.append(frame(part["function"], part["path"], line_number, anywhere=anywhere))
    return tuple(frames) if line else None


def process_name(command: str) -> str:
    """What a command line runs, without what changes from run to run: its module, its script or its program."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote inside, which py-spy does not escape
        words = command.split()
    if not words:
        return "unknown"
    program = Path(words[0]).name
    if not program.startswith("python"):
        return program
    rest = iter(words[1:])
    for word in rest:
        if word == "-m":
            return next(rest, program)
        if word == "-c":
            return "multiprocessing worker" if "multiprocessing" in command else "python -c"
        if word in {"-X", "-W"}:  # the options of Python that take a value
            next(rest, None)
        elif not word.startswith("-"):
            return Path(word).name
    return program
