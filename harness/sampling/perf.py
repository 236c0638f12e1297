"""CPU profiles of targets that do not run Python: perf with the kernel's CPU clock.

The clock ticks in whatever a process does, in the kernel too, so that samples are CPU time. Node and Java write the
names of what they compile to ``/tmp/perf-PID.map`` if asked to, and perf reads them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.messages import Message, message
from harness.record.profiles import Profile, Span, Stack, write_folded
from harness.record.run_folder import RunFolder
from harness.sampling.child import start_child
from harness.sampling.perf_script import NAMELESS, Sample, read_samples
from harness.sampling.process_tree import process_trees
from harness.sampling.python_process import runs_python
from harness.sampling.sampler import PhaseSampler, file_stem

_TRY_TIMEOUT_S = 5.0
_END_TIMEOUT_S = 20.0
_SPAN_S = 5.0
_LOOK_EVERY_S = 1.0
_ATTACH_TIMEOUT_S = 5.0
_POLL_S = 0.02
_MOST_FOLLOWED = 3
"""So many perfs record threads that began while another one attached, for each start of a target."""
_MANY_NAMELESS = 0.2
_OWN = re.compile(r" \((?!node:)(?P<file>(?:(?!node_modules/)[^()])+):\d+\)$")
"""A frame with a line, in a file that is not a library's."""


@cache
def why_no_perf(pid: int) -> Message | None:
    """Why perf cannot look into the process ``pid``; None if it can. Tried, as kernels and containers differ in why."""
    if (perf := shutil.which("perf")) is None:
        return message("perf-missing")
    attached = [perf, "stat", "-e", "cpu-clock", "-p", str(pid), "true"]
    try:
        tried = subprocess.run(attached, capture_output=True, timeout=_TRY_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return message("perf-no-permission")
    return message("perf-no-permission") if tried.returncode else None


def why_not_python(pid: int) -> Message | None:
    """What can be seen of a target that does not run Python, on one line; None if it may run Python."""
    if runs_python(pid):
        return None
    remedy = why_no_perf(pid)
    return message("target-seen-by-perf") if remedy is None else message("target-not-python", remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Recording:
    """One perf; it ends with the processes that it records."""

    root: int
    data: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def has_begun(self) -> bool:
        """Whether perf has attached to all that it will, which is before it first writes, or has failed to."""
        return self.process.poll() is not None or (self.data.exists() and self.data.stat().st_size > 0)


@dataclass(slots=True)
class _Phase:
    index: int
    stem: Path
    name: str
    began_s: float
    """By the monotonic clock, as perf's own times are."""
    ended_s: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)
    recordings: list[_Recording] = field(default_factory=list)
    """In the order in which they began: a fault may have started the target again."""


class PerfSampler(PhaseSampler):
    """Records the process tree of ``root()``, ``rate_hz`` times per CPU second, into ``cpu/INDEX-PHASE.folded``.

    perf took 0.16 s of CPU to start and end, and nothing measurable between (80 KB of samples in 12 s).

    perf's own file is read once the load has ended, which takes seconds of CPU, and is then removed.
    """

    def __init__(self, root: Callable[[], int], rate_hz: int, folder: RunFolder) -> None:
        super().__init__()
        self._root = root
        self._rate_hz = rate_hz
        self._folder = folder
        self._phases: list[_Phase] = []
        folder.cpu.mkdir(exist_ok=True)

    def begin_phase(self, index: int, name: str) -> None:
        self.end_phase()
        phase = _Phase(index, self._folder.cpu / file_stem(index, name), name, time.monotonic())
        self._phases.append(phase)
        self.submit(self._record, phase)

    def end_phase(self) -> None:
        if self._phases and not self._phases[-1].over.is_set():
            self._phases[-1].ended_s = time.monotonic()
            self._phases[-1].over.set()

    def _record(self, phase: _Phase) -> None:
        """Record each start of the target until the phase is over."""
        recorded, unsure, followed = None, set[int](), 0
        while True:
            if (root := self._root()) != recorded and (tree := process_trees(root)[0]):
                unsure, followed = self._attach(phase, root, tree), 0
                recorded = root
            elif unsure and followed < _MOST_FOLLOWED:
                left = unsure & _threads(root)
                unsure = self._attach(phase, root, process_trees(root)[0]) if left else set()
                followed += 1
            if phase.over.wait(_LOOK_EVERY_S):
                break
        if not phase.recordings:
            self.note(message("cpu-target-ended", phase=phase.name))
        for recording in phase.recordings:
            recording.process.send_signal(signal.SIGINT)
            try:
                recording.process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                recording.process.kill()
                recording.process.wait()

    def _attach(self, phase: _Phase, root: int, tree: list[int]) -> set[int]:
        """Record processes, and what they will start. Returns threads of which that is not certain.

        perf lists threads and then attaches to one after the other. It misses what a thread starts between the two; a
        look at them before and after shows what may be missing. Those that still run a second later get another perf.
        The supervisor, which starts a managed target, would be no better: it is too late for what it has started.
        """
        before, deadline = _threads(root), time.monotonic() + _ATTACH_TIMEOUT_S
        recording = self._start(phase, root, tree)
        phase.recordings.append(recording)
        while not recording.has_begun and time.monotonic() < deadline and not phase.over.wait(_POLL_S):
            pass
        return _threads(root) - before

    def _start(self, phase: _Phase, root: int, tree: list[int]) -> _Recording:
        data = phase.stem.with_name(f"{phase.stem.name}.{len(phase.recordings)}.perf")
        log = data.with_suffix(".log")
        command = ["perf", "record", "-e", "cpu-clock", "-F", str(self._rate_hz), "-g", "-k", "CLOCK_MONOTONIC"]
        command += ["-B", "-N"]  # without the build ids of all files, which take longer than a minute of samples
        command += ["-o", str(data), "-p", ",".join(map(str, tree))]
        with log.open("wb") as output:
            process = start_child(command, output, output)
        return _Recording(root, data, log, process)

    def collect(self) -> list[Profile]:
        profiles = [self._profile(phase) for phase in self._phases if phase.recordings]
        return [profile for profile in profiles if profile is not None]

    def clean_up(self) -> None:
        for recording in (recording for phase in self._phases for recording in phase.recordings):
            recording.data.unlink(missing_ok=True)
            recording.log.unlink(missing_ok=True)

    def _profile(self, phase: _Phase) -> Profile | None:
        samples = _samples_of_threads(phase.recordings)
        if not samples:
            reason = " ".join(phase.recordings[0].log.read_text(errors="replace").split())[:300]
            self.note(message("perf-failed", phase=phase.name, reason=reason))
            return None
        nameless = sum(NAMELESS in sample.frames[-1] for sample in samples) / len(samples)
        if nameless > _MANY_NAMELESS:
            self.note(message("perf-without-names", phase=phase.name, share=nameless))
        roots = {recording.root for recording in phase.recordings}
        length_s = phase.ended_s - phase.began_s
        count = max(1, int(length_s / _SPAN_S))
        spans: list[dict[int, float]] = [{} for _ in range(count)]
        whole: Counter[tuple[str, ...]] = Counter()
        by_span: Counter[tuple[str, ...]] = Counter()
        for sample in samples:
            span = min(count - 1, max(0, int((sample.at_s - phase.began_s) / length_s * count)))
            spans[span][sample.pid] = spans[span].get(sample.pid, 0.0) + 1 / self._rate_hz
            process = () if sample.pid in roots else (f"process {sample.program}",)
            whole[*process, *sample.frames] += 1
            by_span[f"span {span}", f"pid {sample.pid}", *process, *sample.frames] += 1
        own = {found["file"] for frames in whole for each in frames if (found := _OWN.search(each))}
        folded = phase.stem.with_name(f"{phase.stem.name}.folded")
        spans_path = folded.with_suffix(".spans.folded")
        for path, weights in ((folded, whole), (spans_path, by_span)):
            write_folded(path, [Stack(frames, weight) for frames, weight in weights.items()])
        return Profile(
            kind="cpu",
            phase=phase.index,
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


def _threads(root: int) -> set[int]:
    """Of all processes of a tree."""
    found = set[int]()
    for pid in process_trees(root)[0]:
        with suppress(OSError):  # it has ended
            found |= {int(thread.name) for thread in os.scandir(f"/proc/{pid}/task")}
    return found


def _samples_of_threads(recordings: Sequence[_Recording]) -> list[Sample]:
    """Each thread's from the first perf that has any: a later one may have recorded it, too."""
    by_thread: dict[tuple[int, int], _Recording] = {}
    return [
        sample
        for recording in recordings
        for sample in read_samples(recording.data)
        if by_thread.setdefault((recording.root, sample.tid), recording) is recording
    ]
