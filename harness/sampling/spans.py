"""Samples one phase in spans: one py-spy after the other, so that samples keep their time.

py-spy writes its samples at its end, without their times. Starting it costs some 20 ms of CPU. So a phase is cut into
spans, and the next py-spy already samples when the one before ends. Spans grow with the phase, so that a long phase has
some hundred. At each border, the CPU clocks of all processes of the target are read: samples show where the time went,
the clocks how much it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.messages import Message, message
from harness.record.profiles import ProfileKind
from harness.sampling.process_tree import process_trees
from harness.sampling.py_spy import PySpyRecording, SampledThreads, complaint
from harness.sampling.sampling_rate import CpuTime, SamplingRate
from harness.sampling.waiting_tasks import TaskLooks
from harness.targets.agent_client import Agent

_WRITE_TIMEOUT_S = 20.0
_POLL_S = 0.05
_GROWTH = 20
"""A span lasts at least the length of the phase so far, divided by this."""
_ATTEMPTS = 2
"""A process that is just starting may not be Python yet."""
_PAUSE_S = 1.0
_FIRST_S = 2.0
"""The span in which the cost of a sample is found out."""
_IDLE = 0.002
"""A process that uses less of a core needs no py-spy of its own."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One way of sampling: which threads, how often at most, for what share of the overhead that all tiers may cause,
    and how long a span lasts at least."""

    kind: ProfileKind
    suffix: str
    """Of its files."""
    threads: SampledThreads
    max_hz: int
    min_hz: int
    overhead_share: float
    span_s: float


@dataclass(slots=True)
class RecordedSpan:
    """A part of a phase: a recording of each process, and the CPU seconds that each process used meanwhile."""

    recordings: dict[int, PySpyRecording]
    """By process id."""
    began_s: float = 0.0
    ended_s: float = 0.0
    clocks_s: dict[int, float] = field(default_factory=dict)
    """The clocks at its start; after its end, the CPU time used in the span."""
    cores: float | None = None
    """What all of py-spy, and looking at tasks, used."""
    tasks: TaskLooks | None = None
    """What was seen of waiting tasks, if that belongs to the tier."""

    @property
    def rate_hz(self) -> int:
        """At which it was sampled."""
        return next(iter(self.recordings.values())).rate_hz

    @property
    def duration_s(self) -> float:
        return max(0.0, self.ended_s - self.began_s)


@dataclass
class PhaseRecorder:
    """Records the process tree of ``root()`` in a thread of its own until :meth:`end`; files are ``stem.SPAN.PID.txt``.

    The thread lives until every py-spy has ended, because each ends with the thread that started it.
    """

    py_spy: str
    root: Callable[[], int]
    tier: Tier
    rate: SamplingRate
    stem: Path
    index: int
    name: str
    began_s: float
    """When the phase began, by the monotonic clock."""
    agents: Callable[[], Sequence[Agent]] | None = None
    """Those that see what tasks wait for; None if that does not belong to the tier."""
    spans: list[RecordedSpan] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)
    _failures: dict[int, int] = field(default_factory=dict)
    """How often py-spy could not sample a process."""
    _why_none: Message | None = None
    """Why it could not, the last time."""
    _over: threading.Event = field(default_factory=threading.Event)
    _ended_s: float | None = None

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"py-spy: {self.tier.kind}", daemon=True)
        self._thread.start()

    def end(self, now_s: float) -> None:
        """The phase has ended. Returns at once."""
        if self._ended_s is None:
            self._ended_s = now_s
            self._over.set()

    def wait(self) -> None:
        """Until all files are written."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._record()
        except OSError as error:  # a full disk costs the samples, not the run
            self.notes.append(message("sampler-failed", sampler="CPU", error=type(error).__name__, reason=str(error)))

    def _record(self) -> None:
        current: RecordedSpan | None = None
        while not self._over.is_set():
            following = self._start_span(current)
            began = self._wait_until_sampling(following)
            if current is not None:
                self._finish(current, following.clocks_s)
                current = None
            if not began:
                self._discard(following)
                if not self._may_begin_later():
                    break
                continue
            self.spans.append(current := following)
            if not self._sample(current):
                break
        if current is not None:
            self._finish(current, cpu_clocks(self.root()))
        if not self.spans:
            code = "cpu-phase-too-short" if cpu_clocks(self.root()) else "cpu-target-ended"
            self.notes.append(self._why_none or message(code, phase=self.name))

    def _may_begin_later(self) -> bool:
        """After a second: whether the phase continues and a process may still start, or turn out to run Python."""
        over, pids = self._over.wait(_PAUSE_S), cpu_clocks(self.root())
        return not over and (not pids or any(self._failures.get(pid, 0) < _ATTEMPTS for pid in pids))

    def _start_span(self, current: RecordedSpan | None) -> RecordedSpan:
        """Start py-spy for each process that may run Python; after the first span, only for busy ones, if any."""
        clocks_s = cpu_clocks(self.root())
        python = [pid for pid in clocks_s if self._failures.get(pid, 0) < _ATTEMPTS]
        if current is not None:
            least_s = _IDLE * self._length_s(current)
            busy = [pid for pid in python if clocks_s[pid] - current.clocks_s.get(pid, 0.0) >= least_s]
            python = busy or python
        rate_hz, number = self.rate.hz, len(self.spans)
        recordings = {}
        for pid in python:
            path = self.stem.with_name(f"{self.stem.name}.{number}.{pid}.txt")
            recordings[pid] = PySpyRecording.start(self.py_spy, pid, path, rate_hz, self.tier.threads)
        return RecordedSpan(recordings)

    def _wait_until_sampling(self, span: RecordedSpan) -> bool:
        """Whether at least one samples, and the others have failed; not if the phase has ended before."""
        while True:
            is_over = self._over.is_set()
            for pid, recording in list(span.recordings.items()):
                if recording.is_sampling:
                    recording.started_s = recording.started_s or time.monotonic()
                elif recording.has_died:
                    self._failures[pid] = self._failures.get(pid, 0) + 1
                    self._why_none = self._why_nothing(recording)
                    discard(span.recordings.pop(pid))
            waiting = [recording for recording in span.recordings.values() if recording.started_s is None]
            if is_over or not waiting:
                break
            self._over.wait(_POLL_S)
        span.began_s = time.monotonic()
        span.clocks_s = cpu_clocks(self.root())
        return not waiting and bool(span.recordings)

    def _sample(self, span: RecordedSpan) -> bool:
        """Let it sample for the length of a span, and measure what that costs; whether another span shall follow."""
        before = _cpu_times(span)
        until_s = span.began_s + self._length_s(span)
        if self.agents is not None:
            span.tasks = TaskLooks(self.agents(), self.rate.hz)
        while (left_s := until_s - time.monotonic()) > 0 and not self._over.is_set():
            if all(each.has_died for each in span.recordings.values()):
                break
            part_s = min(1.0, left_s)
            if span.tasks is None:
                self._over.wait(part_s)
            else:
                span.tasks.look_until(until_s - left_s + part_s, self._over)
        costs = [now.cores_since(before[pid]) for pid, now in _cpu_times(span).items() if pid in before]
        if costs:
            span.cores = sum(costs)
            self.rate.update(span.cores, span.rate_hz, self.root())
            if span.tasks is not None:
                span.cores += span.tasks.cost_s / max(0.1, time.monotonic() - span.began_s)
        return not self._over.is_set()

    def _length_s(self, span: RecordedSpan) -> float:
        usual_s = max(self.tier.span_s, (span.began_s - self.began_s) / _GROWTH)
        return usual_s if self.rate.is_known else min(usual_s, _FIRST_S)

    def _finish(self, span: RecordedSpan, clocks_s: dict[int, float]) -> None:
        span.ended_s = self._ended_s or time.monotonic()
        for recording in span.recordings.values():
            if recording.has_died:
                if psutil.pid_exists(recording.pid) and not recording.raw.exists():  # it has, of a zombie
                    self.notes.append(self._why_nothing(recording))
                recording.ended_s = span.ended_s
            else:
                recording.end(span.ended_s)
        for recording in span.recordings.values():
            if not recording.wait(_WRITE_TIMEOUT_S):
                self.notes.append(message("cpu-py-spy-hangs", phase=self.name))
        began_s = span.clocks_s
        span.clocks_s = {pid: max(0.0, now_s - began_s.get(pid, 0.0)) for pid, now_s in clocks_s.items()}

    def _discard(self, span: RecordedSpan) -> None:
        """The phase ended before it sampled, or nothing can be sampled."""
        for recording in span.recordings.values():
            recording.end(time.monotonic())
        for recording in span.recordings.values():
            recording.wait(_WRITE_TIMEOUT_S)
            discard(recording)

    def _why_nothing(self, recording: PySpyRecording) -> Message:
        reason = complaint(recording.log.read_text(errors="replace"))
        if reason:
            return message("cpu-py-spy-failed", phase=self.name, reason=reason)
        return message("cpu-py-spy-ended", phase=self.name, status=recording.process.returncode)


def discard(recording: PySpyRecording) -> None:
    """Remove its files."""
    recording.log.unlink(missing_ok=True)
    recording.raw.unlink(missing_ok=True)


def _cpu_times(span: RecordedSpan) -> dict[int, CpuTime]:
    times = {pid: CpuTime.of(recording.process.pid) for pid, recording in span.recordings.items()}
    return {pid: time for pid, time in times.items() if time is not None}


def cpu_clocks(root: int) -> dict[int, float]:
    """The CPU seconds that each process of a tree has used, by process id."""
    (tree,) = process_trees(root)
    return {pid: used.taken_s for pid in tree if (used := CpuTime.of(pid)) is not None}
