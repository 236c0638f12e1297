"""What a sleeping thread waits for, read from its source line, because a call into C has no frame.

``with lock:`` and ``time.sleep(1)`` look alike in a stack. The source line tells them apart, where it can be read.
"""

from __future__ import annotations

import linecache
import re
from functools import cache

_LEAF = re.compile(r"(?:^|;)[^;]* \((?P<path>/[^;]*):(?P<line>\d+)\) (?P<weight>\d+)$")
_HINTS = {
    "lock": re.compile(r"^\s*with\s|\.acquire\(|\.wait\("),
    "sleep": re.compile(r"\bsleep\("),
    "database": re.compile(r"\.(execute|executemany|executescript|commit|rollback|fetch(one|many|all))\("),
    "socket": re.compile(r"\.(recv\w*|send|sendall|connect|accept|readline|readinto|getresponse)\(|\burlopen\("),
    "disk": re.compile(r"\b(fsync|fdatasync)\(|\bopen\("),
}
"""By the first that fits."""


def with_hints(raw: str) -> str:
    """py-spy's raw output with a frame ``[lock]`` (or another hint) below each line that says what it waits for."""
    return "\n".join(_with_hint(line) for line in raw.splitlines())


def _with_hint(line: str) -> str:
    leaf = _LEAF.search(line)
    found = hint(leaf["path"], int(leaf["line"])) if leaf else None
    if leaf is None or found is None:
        return line
    return f"{line[: leaf.start('weight') - 1]};[{found}] {leaf['weight']}"


@cache
def hint(path: str, line: int) -> str | None:
    """What a thread that sleeps on this line waits for; None if the line does not show it, or cannot be read."""
    text = linecache.getline(path, line)
    return next((name for name, pattern in _HINTS.items() if pattern.search(text)), None)
