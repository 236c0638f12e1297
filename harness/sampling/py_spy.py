"""py-spy as a child process: its start, its output, and its permission to read a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.record.profiles import Stack
from harness.sampling.child import start_child
from harness.sampling.frame_names import from_py_spy, process_name
from harness.sampling.tree_clock import read_proc

_SAMPLING = b"Sampling process"
"""py-spy prints this when it begins to sample."""
_COUNTS = re.compile(r"Samples: (\d+) Errors: (\d+)")
_STARTED = re.compile(r"py-spy> Sampling process .*")


SampledThreads = Literal["gil", "busy", "all"]
"""Those that hold the GIL (py-spy then skips the stacks of all others), those that do not sleep, or all."""
_OPTIONS: dict[SampledThreads, list[str]] = {"gil": ["--gil"], "busy": [], "all": ["--idle"]}


@dataclass(slots=True)
class PySpyRecording:
    """One py-spy, which records one process for one span of a phase.

    It could find a process's children by itself, but looks through all processes of the machine ten times a second for
    that, which costs five times as much as its samples. Times are of the monotonic clock, in seconds.
    """

    pid: int
    name: str
    """What the process runs, without what changes from run to run."""
    rate_hz: int
    raw: Path
    log: Path
    process: subprocess.Popen[bytes]
    started_s: float | None = None
    """When it began to sample; None if it did not."""
    ended_s: float | None = None

    @classmethod
    def start(cls, py_spy: str, pid: int, path: Path, rate_hz: int, threads: SampledThreads) -> PySpyRecording:
        """Record these ``threads`` of the process ``pid`` into ``path``, without stopping it."""
        log = path.with_suffix(".log")
        command = [py_spy, "record", "--nonblocking", "--full-filenames"]
        command += _OPTIONS[threads]
        command += ["--pid", str(pid), "--rate", str(rate_hz), "--duration", "unlimited"]
        command += ["--format", "raw", "--output", str(path)]
        with log.open("wb") as output:
            return cls(pid, _name_of(pid), rate_hz, path, log, start_child(command, output, output))

    @property
    def is_sampling(self) -> bool:
        """Whether it has found its way about the target; what it costs from then on is the cost of sampling."""
        return _SAMPLING in self.log.read_bytes()

    @property
    def has_died(self) -> bool:
        """Whether it ended although it was not told to."""
        return self.ended_s is None and self.process.poll() is not None

    def end(self, now_s: float) -> None:
        """Have it write its file and end. One that does not sample yet is killed: it may ignore SIGINT."""
        self.ended_s = now_s
        self.process.send_signal(signal.SIGKILL if self.started_s is None else signal.SIGINT)

    def wait(self, timeout_s: float) -> bool:
        """Until it has ended; whether it did within ``timeout_s``. It is killed if not."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True


def _name_of(pid: int) -> str:
    words = read_proc(f"/proc/{pid}/cmdline") or b""
    return process_name(words.decode(errors="replace").rstrip("\0").split("\0"))


def counts(log: str) -> tuple[int, int]:
    """How many samples were written and how many could not be read, as py-spy prints at its end."""
    found = _COUNTS.search(log)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def complaint(log: str) -> str:
    """What py-spy printed about why it failed, on one line; empty if nothing."""
    return " ".join(_STARTED.sub("", log).partition("Stack backtrace:")[0].split())[:300]


def may_read_memory(pid: int) -> bool:
    """Whether the kernel lets this user read the process's memory, which py-spy does not report clearly.

    Opening ``/proc/PID/mem`` is subject to the same check (ptrace attach, Yama included) as reading it.
    """
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
    except PermissionError:
        return False
    except OSError:
        return True  # the process has just ended: py-spy reports that
    return True


def has_capability(program: str) -> bool:
    """Whether the program's file has capabilities (``setcap cap_sys_ptrace+ep``), and so more rights than this user."""
    try:
        return bool(os.getxattr(program, "security.capability"))
    except OSError:  # it has none, or the file system does not support them
        return False


def fold(raw: str, *, anywhere: bool = False) -> list[Stack]:
    """The stacks of py-spy's raw output; those that shortening (``anywhere`` or not) makes equal are added up."""
    weights: Counter[tuple[str, ...]] = Counter()
    for line in raw.splitlines():
        stack, _, weight = line.rpartition(" ")
        if stack and weight.isdigit():
            weights[from_py_spy(stack, anywhere=anywhere)] += int(weight)
    return [Stack(frames, weight) for frames, weight in weights.items()]
