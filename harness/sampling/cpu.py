"""CPU profiles: one py-spy recording a phase, non-blocking, children followed, threads that wait left out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.record.masking import masked
from harness.record.profiles import Profile, Stack, write_folded
from harness.record.run_folder import RunFolder
from harness.sampling.child import start_child, tool
from harness.sampling.frames import from_py_spy
from harness.sampling.sampler import file_stem

_WRITE_TIMEOUT_S = 20.0
_MANY_ERRORS = 0.05
_COMMANDS = re.compile(r'process \d+:".*(?=")')
"""All that a line of py-spy's raw output says of processes, which it names by their whole command lines."""
_COUNTS = re.compile(r"Samples: (\d+) Errors: (\d+)")

_PTRACE_HINT = (
    "py-spy has no permission to read the target's memory (ptrace): as root `sysctl kernel.yama.ptrace_scope=0`, "
    "in a container `--cap-add SYS_PTRACE`, or run the harness as the target's user or with sudo"
)


@dataclass(slots=True)
class _Recording:
    index: int
    name: str
    raw: Path
    log: Path
    process: subprocess.Popen[bytes]
    started: float
    ended: float | None = None


class CpuSampler:
    """Records the process tree of ``pid`` at ``rate_hz`` samples a second into ``cpu/INDEX-PHASE.folded``.

    py-spy takes some 0.3 s from its start to its first sample; those are missing at the start of each phase.
    """

    name = "cpu"

    def __init__(self, pid: int, rate_hz: int, folder: RunFolder) -> None:
        self._pid = pid
        self._rate_hz = rate_hz
        self._folder = folder
        # One thread starts all recordings and lives until the last is written: py-spy dies with its starter.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="cpu-sampler")
        self._jobs: list[Future[None]] = []
        self._recordings: list[_Recording] = []
        self._notes: dict[str, None] = {}
        self._py_spy = tool("py-spy")
        if self._py_spy is None:
            self._note("CPU was not sampled: py-spy is not installed beside this Python: pip install py-spy")
        folder.cpu.mkdir(exist_ok=True)

    @property
    def notes(self) -> list[str]:
        return list(self._notes)

    def begin_phase(self, index: int, name: str) -> None:
        self.end_phase()
        if self._py_spy is not None:
            self._jobs.append(self._worker.submit(self._start, self._py_spy, index, name))

    def end_phase(self) -> None:
        self._jobs.append(self._worker.submit(self._interrupt, time.monotonic()))

    def close(self) -> list[Profile]:
        self.end_phase()
        try:
            for job in self._jobs:
                job.result()
            return self._worker.submit(self._collect).result()
        finally:
            self._worker.submit(self._kill_all).result()
            self._worker.shutdown()

    def _start(self, py_spy: str, index: int, name: str) -> None:
        if not psutil.pid_exists(self._pid):
            self._note(f"CPU in phase {name}: not sampled: the target had ended")
            return
        if not _may_look_into(self._pid) and not has_capability(py_spy):
            self._note(f"CPU was not sampled: {_PTRACE_HINT}")
            return
        stem = file_stem(index, name)
        raw, log = self._folder.cpu / f"{stem}.py-spy.txt", self._folder.cpu / f"{stem}.py-spy.log"
        command = [py_spy, "record", "--nonblocking", "--subprocesses", "--full-filenames"]
        command += ["--pid", str(self._pid), "--rate", str(self._rate_hz), "--duration", "unlimited"]
        command += ["--format", "raw", "--output", str(raw)]
        with log.open("wb") as output:
            process = start_child(command, subprocess.DEVNULL, output)
        self._recordings.append(_Recording(index, name, raw, log, process, time.monotonic()))

    def _interrupt(self, now: float) -> None:
        if self._recordings and self._recordings[-1].ended is None:
            recording = self._recordings[-1]
            recording.ended = now
            recording.process.send_signal(signal.SIGINT)  # it then writes its file, while the next one starts
            # Taken in as soon as it has: until the run's end it would stand among the processes as a zombie.
            threading.Thread(target=recording.process.wait, name="py-spy's end", daemon=True).start()

    def _collect(self) -> list[Profile]:
        profiles = [self._finish(recording) for recording in self._recordings]
        return [profile for profile in profiles if profile is not None]

    def _finish(self, recording: _Recording) -> Profile | None:
        try:
            recording.process.wait(_WRITE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._note(f"CPU in phase {recording.name}: py-spy did not end, its samples are lost")
            return None
        log = recording.log.read_text(errors="replace")
        recording.log.unlink()
        if not recording.raw.exists():
            self._note(self._why_nothing(recording, log))
            return None
        self._note_doubts(recording, log)
        folded = recording.raw.with_name(f"{file_stem(recording.index, recording.name)}.folded")
        stacks = _COMMANDS.sub(lambda found: masked(found[0]), recording.raw.read_text(errors="replace"))
        recording.raw.write_text(stacks)
        write_folded(folded, fold(stacks, self._pid))
        assert recording.ended is not None
        return Profile(
            kind="cpu",
            phase=recording.index,
            path=str(folded.relative_to(self._folder.path)),
            unit="samples",
            duration_s=round(recording.ended - recording.started, 3),
            rate_hz=float(self._rate_hz),
            raw=str(recording.raw.relative_to(self._folder.path)),
        )

    def _why_nothing(self, recording: _Recording, log: str) -> str:
        if recording.process.returncode in {-signal.SIGINT, 128 + signal.SIGINT} or "KeyboardInterrupt" in log:
            return f"CPU in phase {recording.name}: no samples: it ended before py-spy had started"
        said = " ".join(log.partition("Stack backtrace:")[0].split()) or f"it ended with {recording.process.returncode}"
        return f"CPU in phase {recording.name}: no samples: py-spy: {said[:300]}"

    def _note_doubts(self, recording: _Recording, log: str) -> None:
        counts = _COUNTS.search(log)
        samples, errors = (int(counts[1]), int(counts[2])) if counts else (0, 0)
        if errors > _MANY_ERRORS * (samples + errors):
            self._note(f"CPU in phase {recording.name}: {errors} of {samples + errors} samples could not be read")
        if "behind in sampling" in log:
            self._note(
                f"CPU in phase {recording.name}: py-spy could not keep {self._rate_hz} samples a second: "
                "set a lower one: [sampling] cpu = {rate_hz = …}"
            )

    def _kill_all(self) -> None:
        for recording in self._recordings:
            if recording.process.poll() is None:
                recording.process.kill()
                recording.process.wait()

    def _note(self, text: str) -> None:
        self._notes[text] = None


def _may_look_into(pid: int) -> bool:
    """Whether the kernel lets this user read the process's memory; py-spy itself does not tell that case apart.

    Opening ``/proc/PID/mem`` is subject to the same check (ptrace attach, Yama included) as reading it.
    """
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
    except PermissionError:
        return False
    except OSError:
        return True  # no /proc, or the process has just ended: py-spy will say so
    return True


def has_capability(program: str) -> bool:
    """Whether the program's file brings capabilities (``setcap cap_sys_ptrace+ep``): it may do what we may not."""
    if sys.platform != "linux":
        return False
    try:
        return bool(os.getxattr(program, "security.capability"))
    except OSError:  # it has none, or this file system knows of none
        return False


def fold(raw: str, root_pid: int) -> list[Stack]:
    """The stacks of py-spy's raw output, those that become equal by shortening added up."""
    weights: Counter[tuple[str, ...]] = Counter()
    for line in raw.splitlines():
        stack, _, weight = line.rpartition(" ")
        frames = from_py_spy(stack, root_pid)
        if frames and weight.isdigit():
            weights[frames] += int(weight)
    return [Stack(frames, weight) for frames, weight in weights.items()]
