"""Samples by function: how often each was on top of a stack, and how often anywhere on it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.record.measurement import FunctionSamples
from harness.record.profiles import Stack

_FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^()]+?)(?::(?P<line>\d+))?\)")
_STANDARD_FOLDER = re.compile(r"lib/python3[.\d]*/(?!site-packages|dist-packages)")


_WAITS = {
    ("wait", "threading.py"),
    ("select", "selectors.py"),
    ("run", "asyncio/runners.py"),
    ("_worker", "concurrent/futures/thread.py"),
    ("accept", "socket.py"),
}
"""Where an idle thread waits: function (without its class) and file."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a stack; ``line`` is 0 where it is unknown, ``file`` is empty where there is no file."""

    function: str
    file: str
    line: int

    @property
    def key(self) -> str:
        """``function (file.py)``: profiles are compared by it, because line numbers move between builds."""
        return f"{self.function} ({self.file})" if self.file else self.function

    @property
    def is_waiting(self) -> bool:
        """Whether a thread with this function on top waits for work (an event loop's wait in C shows as its caller)."""
        file = self.file if "/lib/python3" not in self.file else _STANDARD_FOLDER.split(self.file)[-1]
        return (self.function.rpartition(".")[2], file) in _WAITS

    @property
    def is_standard(self) -> bool:
        """Whether it belongs to Python itself: its standard library, or its import machinery."""
        if self.file.startswith("<") or _STANDARD_FOLDER.search(self.file):
            return True
        return self.file.split("/")[0].removesuffix(".py") in sys.stdlib_module_names


def working(stacks: Sequence[Stack]) -> list[Stack]:
    """The stacks of threads at work.

    py-spy does not stop the target while it samples, so it takes some waiting threads for working ones. Their number
    grows with idle time, not with work. If they were counted, every function would cost more the less there is to do.
    """
    return [stack for stack in stacks if is_working(stack)]


def is_working(stack: Stack) -> bool:
    """Whether its thread does something."""
    return not parse_frame(stack.frames[-1]).is_waiting


@lru_cache(maxsize=1 << 16)
def parse_frame(text: str) -> Frame:
    """A frame as folded, ``function (file.py:line)``; any other text is a function without a file."""
    match = _FRAME.fullmatch(text)
    return Frame(match["function"], match["file"], int(match["line"] or 0)) if match else Frame(text, "", 0)


def functions_of(stacks: Sequence[Stack]) -> dict[str, FunctionSamples]:
    """The weight of each function, by :attr:`Frame.key`; one that calls itself counts once a stack."""
    own: dict[str, int] = {}
    total: dict[str, int] = {}
    for stack in stacks:
        keys = [parse_frame(text).key for text in stack.frames]
        own[keys[-1]] = own.get(keys[-1], 0) + stack.weight
        for key in set(keys):
            total[key] = total.get(key, 0) + stack.weight
    return {key: FunctionSamples(own=own.get(key, 0), total=weight) for key, weight in total.items()}
