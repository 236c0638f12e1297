"""Names of stack frames that are equal on every machine and in every run: ``function (path.py:line)``.

The path is as short as possible: relative to ``site-packages`` or the standard library, to the working folder, or else
to the outermost package that holds the file. Process ids, ports and interpreter paths are left out, since they differ
between two runs that are compared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.targets.agent_client import AGENT_FOLDER

_LIBRARY = re.compile(r"^.*/(?:(?:site|dist)-packages|lib(?:64)?/python3\.\d+t?)/")
_SCRIPT = re.compile(r"/bin/[^/.]+$")
"""What an installed program is started by, such as ``.venv/bin/uvicorn``."""
_VERSION = re.compile(r"/lib(?:64)?/python(3\.\d+)t?/(?!(?:site|dist)-packages)")
_PATH = re.compile(r" \((/[^;]*?)(?::\d+)?\)(?=;| \d+$)", re.MULTILINE)
_FRAME = re.compile(r"^(?P<function>.*) \((?P<path>.*?)(?::(?P<line>\d+))?\)$")


def frame(function: str, path: str, line: int | None, *, anywhere: bool = False) -> str:
    """One frame of a folded profile, in which ``;`` separates frames."""
    short = short_path(path, anywhere=anywhere)
    where = short if line is None else f"{short}:{line}"
    return f"{function} ({where})".replace(";", ",").replace("\n", " ")


@cache
def short_path(path: str, *, anywhere: bool = False) -> str:
    """``path`` (absolute) as this module's docstring says; one in angle brackets (``<string>``) stays as it is.

    With ``anywhere`` the working folder does not matter: two builds have their files in different folders.
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


def own_files(raw: str, *, anywhere: bool = False) -> set[str]:
    """The files of the target's own code in py-spy's raw output, shortened: those that no library or Python brings."""
    paths = {found[1] for found in _PATH.finditer(raw)}
    return {short_path(path, anywhere=anywhere) for path in paths if not _is_brought(path)}


def _is_brought(path: str) -> bool:
    return bool(_LIBRARY.match(path) or _SCRIPT.search(path)) or path.startswith(AGENT_FOLDER)


def python_of(raw: str) -> str | None:
    """The version of Python (``3.12``) whose library is in py-spy's raw output; None if none is."""
    found = Counter(_VERSION.findall(raw))
    return found.most_common(1)[0][0] if found else None


def from_py_spy(stack: str, *, anywhere: bool) -> tuple[str, ...]:
    """The frames of a line of py-spy's raw output, without its weight; ``anywhere`` is as in :func:`short_path`."""
    frames = []
    for text in stack.split(";"):
        part = _FRAME.match(text)
        if part is None:  # a name without a file, such as <shim>
            frames.append(text)
        else:
            line_number = int(part["line"]) if part["line"] else None
            frames.append(frame(part["function"], part["path"], line_number, anywhere=anywhere))
    return tuple(frames)


def process_name(words: Sequence[str]) -> str:
    """What a command line runs, without what changes from run to run: its module, its script or its program."""
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
            return "multiprocessing worker" if any("multiprocessing" in each for each in words) else "python -c"
        if word in {"-X", "-W"}:  # the options of Python that take a value
            next(rest, None)
        elif not word.startswith("-"):
            return Path(word).name
    return program
