"""CPU profiles of targets that do not run Python: perf with the kernel's CPU clock, where it is installed and allowed.

The clock ticks in whatever a process does, in the kernel too, so that samples are CPU time. Node and Java write the
names of what they compile to ``/tmp/perf-PID.map`` if asked to, and perf reads them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.messages import Message, message
from harness.record.profiles import Profile, Span, Stack, write_folded
from harness.record.run_folder import RunFolder
from harness.sampling.child import start_child
from harness.sampling.frame_names import frame
from harness.sampling.process_usage import process_trees
from harness.sampling.python_process import runs_python
from harness.sampling.sampler import PhaseSampler, file_stem

_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_MOST_PARANOID = 2
"""Above, Debian and others let only root use perf."""
_END_TIMEOUT_S = 20.0
_READ_TIMEOUT_S = 120.0
_SPAN_S = 5.0
_MANY_NAMELESS = 0.2
_SAMPLE = re.compile(r"^(?P<program>.*?)\s+(?P<pid>\d+)\s+(?P<at_s>\d+\.\d+):\s")
_FRAME = re.compile(r"^\s+[0-9a-f]+ (?P<name>.+?)(?:\+0x[0-9a-f]+)? \((?P<file>[^()]*)\)$")
_COMPILED = re.compile(
    r"^(?:JS|LazyCompile|Function|Script|Eval|RegExp):[*~^+]?(?P<name>\S*) (?P<file>\S+?):(?P<line>\d+)"
)
"""How Node names a function: ``JS:*render file:///srv/app.js:12:8``, with a mark for how it was compiled."""
_OWN = re.compile(r" \((?!node:)(?P<file>(?:(?!node_modules/)[^()])+):\d+\)$")
"""A frame with a line, in a file that is not a library's."""
_NAMELESS = "[unknown]"


def why_no_perf() -> Message | None:
    """Why perf cannot be used here; None if it can be."""
    if shutil.which("perf") is None:
        return message("perf-missing")
    try:
        forbidden = os.geteuid() != 0 and int(_PARANOID.read_text()) > _MOST_PARANOID
    except (OSError, ValueError):  # a kernel without it
        forbidden = True
    return message("perf-no-permission") if forbidden else None


def why_not_python(pid: int) -> Message | None:
    """What can be seen of a target that does not run Python, on one line; None if it may run Python."""
    if runs_python(pid):
        return None
    remedy = why_no_perf()
    return message("target-seen-by-perf") if remedy is None else message("target-not-python", remedy=remedy)


@dataclass(slots=True)
class _Recording:
    index: int
    name: str
    data: Path
    log: Path
    process: subprocess.Popen[bytes]
    began_s: float
    """Of the phase, by the monotonic clock, as perf's own times are."""
    ended_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    pid: int
    program: str
    frames: tuple[str, ...]
    """Root first."""


class PerfSampler(PhaseSampler):
    """Records the process tree of ``pid``, ``rate_hz`` times per CPU second, into ``cpu/INDEX-PHASE.folded``.

    perf took 0.16 s of CPU to start and end, and nothing measurable between (80 KB of samples in 12 s).

    perf's own file is read once the load has ended, which takes seconds of CPU, and is then removed.
    """

    def __init__(self, pid: int, rate_hz: int, folder: RunFolder) -> None:
        super().__init__()
        self._pid = pid
        self._rate_hz = rate_hz
        self._folder = folder
        self._recordings: list[_Recording] = []
        folder.cpu.mkdir(exist_ok=True)

    def begin_phase(self, index: int, name: str) -> None:
        self.end_phase()
        self.submit(self._start, index, name, time.monotonic())

    def end_phase(self) -> None:
        self.submit(self._end, time.monotonic())

    def _start(self, index: int, name: str, began_s: float) -> None:
        (tree,) = process_trees(self._pid)
        if not tree:
            self.note(message("cpu-target-ended", phase=name))
            return
        data = self._folder.cpu / f"{file_stem(index, name)}.perf"
        log = data.with_suffix(".log")
        command = ["perf", "record", "-e", "cpu-clock", "-F", str(self._rate_hz), "-g", "-k", "CLOCK_MONOTONIC"]
        command += ["-B", "-N"]  # without the build ids of all files, which take longer than a minute of samples
        command += ["-o", str(data), "-p", ",".join(map(str, tree))]
        with log.open("wb") as output:
            process = start_child(command, output, output)
        self._recordings.append(_Recording(index, name, data, log, process, began_s))

    def _end(self, now_s: float) -> None:
        for recording in self._recordings:
            if not recording.ended_s:
                recording.ended_s = now_s
                recording.process.send_signal(signal.SIGINT)
                try:
                    recording.process.wait(_END_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    recording.process.kill()
                    recording.process.wait()

    def collect(self) -> list[Profile]:
        profiles = [self._profile(recording) for recording in self._recordings]
        return [profile for profile in profiles if profile is not None]

    def clean_up(self) -> None:
        for recording in self._recordings:
            recording.data.unlink(missing_ok=True)
            recording.log.unlink(missing_ok=True)

    def _profile(self, recording: _Recording) -> Profile | None:
        samples = _read(recording)
        if not samples:
            reason = " ".join(recording.log.read_text(errors="replace").split())[:300]
            self.note(message("perf-failed", phase=recording.name, reason=reason))
            return None
        nameless = sum(_NAMELESS in sample.frames[-1] for sample in samples) / len(samples)
        if nameless > _MANY_NAMELESS:
            self.note(message("perf-without-names", phase=recording.name, share=nameless))
        length_s = recording.ended_s - recording.began_s
        count = max(1, int(length_s / _SPAN_S))
        spans: list[dict[int, float]] = [{} for _ in range(count)]
        whole: Counter[tuple[str, ...]] = Counter()
        by_span: Counter[tuple[str, ...]] = Counter()
        for sample in samples:
            span = min(count - 1, max(0, int((sample.at_s - recording.began_s) / length_s * count)))
            spans[span][sample.pid] = spans[span].get(sample.pid, 0.0) + 1 / self._rate_hz
            process = () if sample.pid == self._pid else (f"process {sample.program}",)
            whole[*process, *sample.frames] += 1
            by_span[f"span {span}", f"pid {sample.pid}", *process, *sample.frames] += 1
        own = {found["file"] for frames in whole for each in frames if (found := _OWN.search(each))}
        folded = self._folder.cpu / f"{file_stem(recording.index, recording.name)}.folded"
        spans_path = folded.with_suffix(".spans.folded")
        for path, weights in ((folded, whole), (spans_path, by_span)):
            write_folded(path, [Stack(frames, weight) for frames, weight in weights.items()])
        return Profile(
            kind="cpu",
            phase=recording.index,
            path=str(folded.relative_to(self._folder.path)),
            unit="samples",
            duration_s=round(length_s, 3),
            rate_hz=float(self._rate_hz),
            spans_path=str(spans_path.relative_to(self._folder.path)),
            spans=[
                Span(round(length_s * number / count, 3), round(length_s / count, 3), float(self._rate_hz), cpu_s)
                for number, cpu_s in enumerate(spans)
            ],
            own=sorted(own),
        )


def _read(recording: _Recording) -> list[_Sample]:
    """The samples; none if perf wrote nothing that it can read."""
    command = ["perf", "script", "-i", str(recording.data), "-F", "comm,pid,time,ip,sym,dso"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_READ_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return list(_samples(done.stdout.decode(errors="replace")))


def _samples(text: str) -> Iterator[_Sample]:
    for block in text.split("\n\n"):
        head, *lines = block.strip("\n").split("\n")
        found = _SAMPLE.match(f"{head} ")
        frames = tuple(_frame_of(line) for line in reversed(lines))
        if found and frames:
            program = found["program"].strip().replace(";", ",")
            yield _Sample(float(found["at_s"]), int(found["pid"]), program, frames)


def _frame_of(line: str) -> str:
    found = _FRAME.match(line)
    if found is None:
        return _NAMELESS
    compiled = _COMPILED.match(found["name"])
    if compiled is None:
        return frame(found["name"], Path(found["file"]).name or found["file"], None)
    return frame(compiled["name"] or "(anonymous)", compiled["file"].removeprefix("file://"), int(compiled["line"]))
