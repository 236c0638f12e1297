"""CPU profiles: a py-spy recording a phase, non-blocking, children followed, threads that wait left out."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import psutil

from harness.record.profiles import Profile, Stack, write_folded
from harness.record.redaction import redacted
from harness.record.run_folder import RunFolder
from harness.sampling.child import start_child, tool
from harness.sampling.frame_names import from_py_spy
from harness.sampling.sampler import file_stem
from harness.sampling.sampling_rate import CpuTime, SamplingRate

_WRITE_TIMEOUT_S = 20.0
_SAMPLES = b"Sampling process"
"""What py-spy says as it begins to look."""
_WATCH_S = 1.0
_MANY_ERRORS = 0.25
"""It does not stop the target, whose stacks change while they are read: that alone costs some tenth of the looks."""
_COMMANDS = re.compile(r'process \d+:".*(?=")')
"""All that a line of py-spy's raw output says of processes, which it names by their whole command lines."""
_COUNTS = re.compile(r"Samples: (\d+) Errors: (\d+)")
_STARTED = re.compile(r"py-spy> Sampling process .*")

_PTRACE_HINT = (
    "py-spy has no permission to read the target's memory (ptrace): as root `sysctl kernel.yama.ptrace_scope=0`, "
    "in a container `--cap-add SYS_PTRACE`, or run the harness as the target's user or with sudo"
)


@dataclass(slots=True)
class _Recording:
    """One py-spy. ``attempt`` is 0, or 1 where the phase's first one was begun again at another rate."""

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
    """Ended before its first look: there are no samples, and there could be none."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def stem(self) -> str:
        return file_stem(self.index, self.name)

    @property
    def is_sampling(self) -> bool:
        """Whether it has found its way about the target: what it takes from then on is for looking."""
        return _SAMPLES in self.log.read_bytes()


class CpuSampler:
    """Records the process tree of ``pid`` into ``cpu/INDEX-PHASE.folded``.

    ``rate`` says how often, and learns what that costs: a phase that was begun at a rate far from what has then come of
    it is begun again after a second, and of a phase's two recordings that with more samples counts. py-spy takes some
    0.3 s from its start to its first sample.
    """

    name = "cpu"

    def __init__(self, pid: int, rate: SamplingRate, folder: RunFolder) -> None:
        self._pid = pid
        self._rate = rate
        self._folder = folder
        # One thread starts all recordings and lives until the last is written: py-spy dies with its starter.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="cpu-sampler")
        self._jobs: list[Future[None]] = []
        self._recordings: list[_Recording] = []
        self._watches: list[threading.Thread] = []
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
            self._jobs.append(self._worker.submit(self._start, self._py_spy, index, name, time.monotonic()))

    def end_phase(self) -> None:
        self._jobs.append(self._worker.submit(self._interrupt, time.monotonic()))

    def close(self) -> list[Profile]:
        self.end_phase()
        try:
            for job in self._jobs:
                job.result()
            for watch in self._watches:
                watch.join()
            return self._worker.submit(self._collect).result()
        finally:
            self._worker.submit(self._kill_all).result()
            self._worker.shutdown()

    def _start(self, py_spy: str, index: int, name: str, phase_began: float, attempt: int = 0) -> None:
        if not psutil.pid_exists(self._pid):
            self._note(f"CPU in phase {name}: not sampled: the target had ended")
            return
        if not _may_read_memory(self._pid) and not has_capability(py_spy):
            self._note(f"CPU was not sampled: {_PTRACE_HINT}")
            return
        stem = file_stem(index, name) + ".again" * attempt
        raw, log = self._folder.cpu / f"{stem}.py-spy.txt", self._folder.cpu / f"{stem}.py-spy.log"
        rate_hz = self._rate.hz
        command = [py_spy, "record", "--nonblocking", "--subprocesses", "--full-filenames"]
        command += ["--pid", str(self._pid), "--rate", str(rate_hz), "--duration", "unlimited"]
        command += ["--format", "raw", "--output", str(raw)]
        with log.open("wb") as output:
            process = start_child(command, output, output)
        recording = _Recording(index, name, phase_began, attempt, rate_hz, raw, log, process, time.monotonic())
        self._recordings.append(recording)
        watch = threading.Thread(target=self._watch, args=(py_spy, recording), name="py-spy's cost", daemon=True)
        self._watches.append(watch)
        watch.start()

    def _watch(self, py_spy: str, recording: _Recording) -> None:
        """Learn what a look costs until the recording ends; once, have it begun again where its rate is far off."""
        while not recording.is_sampling:
            if recording.over.wait(0.1):
                return
        recording.started = time.monotonic()
        begin = CpuTime.of(recording.process.pid)
        may_begin_again = recording.attempt == 0
        while not recording.over.wait(_WATCH_S):
            now = CpuTime.of(recording.process.pid)
            if begin is None or now is None or recording.process.poll() is not None:
                return
            recording.cores = now.cores_since(begin)
            self._rate.update(recording.cores, recording.rate_hz)
            if may_begin_again and self._rate.is_far_from(recording.rate_hz):
                self._jobs.append(self._worker.submit(self._begin_again, py_spy, recording))
                return
            may_begin_again = False

    def _begin_again(self, py_spy: str, recording: _Recording) -> None:
        if recording.ended is None and psutil.pid_exists(self._pid):  # the phase goes on
            self._interrupt(time.monotonic())
            self._start(py_spy, recording.index, recording.name, recording.phase_began, recording.attempt + 1)

    def _interrupt(self, now: float) -> None:
        if self._recordings and self._recordings[-1].ended is None:
            recording = self._recordings[-1]
            recording.ended = now
            recording.over.set()
            # It then writes its file, while the next one starts; one that has not come to look yet may not hear it.
            recording.was_cut_short = recording.process.poll() is None and not recording.is_sampling
            recording.process.send_signal(signal.SIGKILL if recording.was_cut_short else signal.SIGINT)
            # Taken in as soon as it has: until the run's end it would stand among the processes as a zombie.
            threading.Thread(target=recording.process.wait, name="py-spy's end", daemon=True).start()

    def _collect(self) -> list[Profile]:
        ended = [recording for recording in self._recordings if self._has_ended(recording)]
        logs = {id(recording): recording.log.read_text(errors="replace") for recording in ended}
        profiles = []
        for _, phase in groupby(ended, key=lambda recording: recording.index):
            attempts = list(phase)
            best = max(attempts, key=lambda recording: _counts(logs[id(recording)])[0])
            last = attempts[-1]
            if last is not best and not last.was_cut_short and not last.raw.exists():
                self._note(f"{self._why_nothing(last, logs[id(last)])}; what there is was sampled in its first seconds")
            for other in attempts:
                if other is not best:
                    other.raw.unlink(missing_ok=True)
            profile = self._profile(best, logs[id(best)])
            if profile is not None:
                profiles.append(profile)
        for recording in ended:
            recording.log.unlink()
        return profiles

    def _has_ended(self, recording: _Recording) -> bool:
        try:
            recording.process.wait(_WRITE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._note(f"CPU in phase {recording.name}: py-spy did not end, its samples are lost")
            return False
        return True

    def _profile(self, recording: _Recording, log: str) -> Profile | None:
        """What came of the recording; None, and a note, where that is nothing."""
        if not recording.raw.exists():
            self._note(self._why_nothing(recording, log))
            return None
        self._note_doubts(recording, log)
        raw = self._folder.cpu / f"{recording.stem}.py-spy.txt"
        stacks = _COMMANDS.sub(lambda found: redacted(found[0]), recording.raw.read_text(errors="replace"))
        recording.raw.write_text(stacks)
        recording.raw.rename(raw)
        folded = raw.with_name(f"{recording.stem}.folded")
        write_folded(folded, fold(stacks, self._pid))
        assert recording.ended is not None
        return Profile(
            kind="cpu",
            phase=recording.index,
            path=str(folded.relative_to(self._folder.path)),
            unit="samples",
            offset_s=round(recording.started - recording.phase_began, 3),
            duration_s=round(recording.ended - recording.started, 3),
            rate_hz=float(recording.rate_hz),
            raw=str(raw.relative_to(self._folder.path)),
            cores=None if recording.cores is None else round(recording.cores, 4),
        )

    def _why_nothing(self, recording: _Recording, log: str) -> str:
        if recording.was_cut_short or "KeyboardInterrupt" in log:
            return f"CPU in phase {recording.name}: no samples: it ended before py-spy had started"
        words = " ".join(_STARTED.sub("", log).partition("Stack backtrace:")[0].split())
        said = words or f"it ended with {recording.process.returncode}"
        return f"CPU in phase {recording.name}: no samples: py-spy: {said[:300]}"

    def _note_doubts(self, recording: _Recording, log: str) -> None:
        samples, errors = _counts(log)
        if recording.cores is not None and self._rate.is_too_expensive(recording.cores):
            self._note(
                f"CPU in phase {recording.name}: py-spy took {recording.cores:.2g} of a core for {recording.rate_hz} "
                "samples a second, and the target had so much less: `cpu = false` under [sampling] measures without"
            )
        expected = _MANY_ERRORS * (samples + errors)
        if errors > expected + 2 * math.sqrt(expected):  # not by chance, where there are few
            self._note(f"CPU in phase {recording.name}: {errors} of {samples + errors} samples could not be read")
        if "behind in sampling" in log:
            self._note(
                f"CPU in phase {recording.name}: py-spy could not keep {recording.rate_hz} samples a second: "
                "set a lower one: [sampling] cpu = {rate_hz = …}"
            )

    def _kill_all(self) -> None:
        for recording in self._recordings:
            if recording.process.poll() is None:
                recording.process.kill()
                recording.process.wait()

    def _note(self, text: str) -> None:
        self._notes[text] = None


def _counts(log: str) -> tuple[int, int]:
    """Samples written, and those that could not be read, as py-spy says at its end."""
    counts = _COUNTS.search(log)
    return (int(counts[1]), int(counts[2])) if counts else (0, 0)


def _may_read_memory(pid: int) -> bool:
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
