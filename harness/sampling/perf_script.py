"""Reads the samples that perf has recorded, from what ``perf script`` prints."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from harness.sampling.frame_names import frame

_READ_TIMEOUT_S = 120.0
_SAMPLE = re.compile(r"^(?P<program>.*?)\s+(?P<pid>\d+)/(?P<tid>\d+)\s+(?P<at_s>\d+\.\d+):\s")
_FRAME = re.compile(r"^\s+[0-9a-f]+ (?P<name>.+?)(?:\+0x[0-9a-f]+)? \((?P<file>[^()]*)\)$")
_COMPILED = re.compile(
    r"^(?:JS|LazyCompile|Function|Script|Eval|RegExp):[*~^+]?(?P<name>\S*) (?P<file>\S+?):(?P<line>\d+)"
)
"""How Node names a function: ``JS:*render file:///srv/app.js:12:8``, with a mark for how it was compiled."""
_MAP = re.compile(r"perf-\d+\.map")
"""The file of other compiled code; its name has the number of the process."""
NAMELESS = "[unknown]"


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    pid: int
    tid: int
    program: str
    frames: tuple[str, ...]
    """Root first."""


def read_samples(data: Path) -> list[Sample]:
    """The samples of a file of ``perf record``; none if perf wrote nothing that it can read."""
    command = ["perf", "script", "-i", str(data), "-F", "comm,pid,tid,time,ip,sym,dso"]
    try:
        perf = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", errors="replace"
        )
    except OSError:
        return []
    limit = threading.Timer(_READ_TIMEOUT_S, perf.kill)
    limit.start()
    try:
        with perf:
            assert perf.stdout is not None
            samples = list(samples_in(perf.stdout))
    finally:
        limit.cancel()
    return [] if perf.returncode == -signal.SIGKILL else samples


def samples_in(lines: Iterable[str]) -> Iterator[Sample]:
    """Line by line, with equal stacks once: ten minutes of samples are some hundred megabytes of text."""
    stacks: dict[tuple[str, ...], tuple[str, ...]] = {}
    block: list[str] = []
    for line in chain(lines, ("\n",)):
        if line != "\n":
            block.append(line.rstrip("\n"))
            continue
        head, *rest = block or [""]
        found = _SAMPLE.match(f"{head} ")
        frames = tuple(map(_frame_of, reversed(rest)))
        if found and frames:
            program = found["program"].strip().replace(";", ",")
            frames = stacks.setdefault(frames, frames)
            yield Sample(float(found["at_s"]), int(found["pid"]), int(found["tid"]), program, frames)
        block.clear()


def _frame_of(line: str) -> str:
    found = _FRAME.match(line)
    if found is None:
        return NAMELESS
    compiled = _COMPILED.match(found["name"])
    if compiled is None:
        file = Path(found["file"]).name or found["file"]
        return frame(found["name"], "compiled" if _MAP.fullmatch(file) else file, None)
    return frame(compiled["name"] or "(anonymous)", compiled["file"].removeprefix("file://"), int(compiled["line"]))
