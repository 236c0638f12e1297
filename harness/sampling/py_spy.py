"""py-spy as a child process: how it is started, what it prints, and whether it has permission to read a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.record.profiles import Stack
from harness.sampling.child import start_child
from harness.sampling.frame_names import from_py_spy
from harness.sampling.sampler import file_stem

_SAMPLING = b"Sampling process"
"""py-spy prints this when it begins to sample."""
_COUNTS = re.compile(r"Samples: (\d+) Errors: (\d+)")
_STARTED = re.compile(r"py-spy> Sampling process .*")


@dataclass(slots=True)
class PySpyRecording:
    """One py-spy. ``attempt`` is 0, or 1 if it is the phase's second one, at another rate."""

    index: int
    name: str
    phase_began: float
    attempt: int
    rate_hz: int
    raw: Path
    log: Path
    process: subprocess.Popen[bytes]
    started: float
    ended: float | None = None
    cores: float | None = None
    was_cut_short: bool = False
    """It was ended before its first sample."""
    over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def start(
        cls, py_spy: str, pid: int, folder: Path, index: int, name: str, phase_began: float, attempt: int, rate_hz: int
    ) -> PySpyRecording:
        """Record the process tree of ``pid`` into files in ``folder``: non-blocking, idle threads left out."""
        stem = file_stem(index, name) + ".again" * attempt
        raw, log = folder / f"{stem}.py-spy.txt", folder / f"{stem}.py-spy.log"
        command = [py_spy, "record", "--nonblocking", "--subprocesses", "--full-filenames"]
        command += ["--pid", str(pid), "--rate", str(rate_hz), "--duration", "unlimited"]
        command += ["--format", "raw", "--output", str(raw)]
        with log.open("wb") as output:
            process = start_child(command, output, output)
        return cls(index, name, phase_began, attempt, rate_hz, raw, log, process, time.monotonic())

    @property
    def stem(self) -> str:
        return file_stem(self.index, self.name)

    @property
    def is_sampling(self) -> bool:
        """Whether it has found its way about the target; what it costs from then on is the cost of sampling."""
        return _SAMPLING in self.log.read_bytes()

    def end(self, now: float) -> None:
        """Have it write its file and end, in the background."""
        self.ended = now
        self.over.set()
        # Before its first sample it may ignore SIGINT.
        self.was_cut_short = self.process.poll() is None and not self.is_sampling
        self.process.send_signal(signal.SIGKILL if self.was_cut_short else signal.SIGINT)
        # Reaped at once: until the run's end it would be a zombie among the processes.
        threading.Thread(target=self.process.wait, name="py-spy's end", daemon=True).start()


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


def fold(raw: str, root_pid: int, *, anywhere: bool = False) -> list[Stack]:
    """The stacks of py-spy's raw output; those that shortening makes equal are added up.

    ``anywhere``: the working folder is in no path, since two builds have their files in different folders.
    """
    weights: Counter[tuple[str, ...]] = Counter()
    for line in raw.splitlines():
        stack, _, weight = line.rpartition(" ")
        frames = from_py_spy(stack, root_pid, anywhere=anywhere)
        if frames and weight.isdigit():
            weights[frames] += int(weight)
    return [Stack(frames, weight) for frames, weight in weights.items()]
