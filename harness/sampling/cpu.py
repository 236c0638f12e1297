"""CPU profiles: one py-spy recording per phase, at the requested rate unless that would disturb what is measured.

For each sample py-spy reads the stacks of all threads, waiting ones too, by some ten system calls each. What that costs
depends on the target, so it is measured during the run, and the rate follows from it. ``benchmarks/sampling.py``
measures what a rate takes from a target.
"""

from __future__ import annotations

import math
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from itertools import groupby

import psutil

from harness.messages import Message, message
from harness.record.measurement import ONLY
from harness.record.profiles import Profile, write_folded
from harness.record.redaction import redacted
from harness.record.run_folder import RunFolder
from harness.sampling.child import tool
from harness.sampling.py_spy import PySpyRecording, complaint, counts, fold, has_capability, may_read_memory
from harness.sampling.sampler import PID_UNKNOWN, During, PhaseSampler, Sampler, SamplerKind, SamplingContext
from harness.sampling.sampling_rate import CpuTime, SamplingRate

_WRITE_TIMEOUT_S = 20.0
_WATCH_S = 1.0
_MANY_ERRORS = 0.25
"""py-spy does not stop the target, whose stacks change while they are read. That alone costs a tenth of the samples."""
_COMMANDS = re.compile(r'process \d+:".*(?=")')
"""What a line of py-spy's raw output contains of processes: their whole command lines."""


class CpuSampler(PhaseSampler):
    """Records the process tree of ``pid`` into ``cpu/INDEX-PHASE.folded``.

    ``rate`` decides how often, and learns from what that costs. If a phase began at a rate far from the right one, its
    recording is started again after a second, and the one with more samples counts. py-spy takes about 0.3 s from its
    start to its first sample.
    """

    def __init__(self, pid: int, rate: SamplingRate, folder: RunFolder, variant: str = ONLY) -> None:
        super().__init__()
        self._pid = pid
        self._variant = variant
        self._rate = rate
        self._folder = folder
        self._recordings: list[PySpyRecording] = []
        self._watches: list[threading.Thread] = []
        self._py_spy = tool("py-spy")
        if self._py_spy is None:
            self.note(message("cpu-py-spy-missing"))
        folder.cpu.mkdir(exist_ok=True)

    def begin_phase(self, index: int, name: str) -> None:
        self.end_phase()
        if self._py_spy is not None:
            self.submit(self._start, self._py_spy, index, name, time.monotonic())

    def end_phase(self) -> None:
        self.submit(self._end_recording, time.monotonic())

    def _start(self, py_spy: str, index: int, name: str, phase_began: float, attempt: int = 0) -> None:
        if not psutil.pid_exists(self._pid):
            self.note(message("cpu-target-ended", phase=name))
            return
        if not may_read_memory(self._pid) and not has_capability(py_spy):
            self.note(message("cpu-no-permission"))
            return
        recording = PySpyRecording.start(
            py_spy, self._pid, self._folder.cpu, index, name, phase_began, attempt, self._rate.hz
        )
        self._recordings.append(recording)
        watch = threading.Thread(target=self._watch, args=(py_spy, recording), name="py-spy's cost", daemon=True)
        self._watches.append(watch)
        watch.start()

    def _watch(self, py_spy: str, recording: PySpyRecording) -> None:
        """Measure what a sample costs until the recording ends; start it again, once, if its rate is far off."""
        while not recording.is_sampling:
            if recording.over.wait(0.1):
                return
        recording.started = time.monotonic()
        begin = CpuTime.of(recording.process.pid)
        may_start_again = recording.attempt == 0
        while not recording.over.wait(_WATCH_S):
            now = CpuTime.of(recording.process.pid)
            if begin is None or now is None or recording.process.poll() is not None:
                return
            recording.cores = now.cores_since(begin)
            self._rate.update(recording.cores, recording.rate_hz, self._pid)
            if may_start_again and self._rate.is_far_from(recording.rate_hz):
                self.submit(self._start_again, py_spy, recording)
                return
            may_start_again &= not self._rate.is_known

    def _start_again(self, py_spy: str, recording: PySpyRecording) -> None:
        if recording.ended is None and psutil.pid_exists(self._pid):  # the phase goes on
            self._end_recording(time.monotonic())
            self._start(py_spy, recording.index, recording.name, recording.phase_began, recording.attempt + 1)

    def _end_recording(self, now: float) -> None:
        if self._recordings and self._recordings[-1].ended is None:
            self._recordings[-1].end(now)

    def collect(self) -> list[Profile]:
        for watch in self._watches:
            watch.join()
        ended = [recording for recording in self._recordings if self._has_ended(recording)]
        logs = {id(recording): recording.log.read_text(errors="replace") for recording in ended}
        profiles = []
        for _, phase in groupby(ended, key=lambda recording: recording.index):
            attempts = list(phase)
            best = max(attempts, key=lambda recording: counts(logs[id(recording)])[0])
            last = attempts[-1]
            if last is not best and not last.was_cut_short and not last.raw.exists():
                self.note(message("cpu-first-seconds-only", reason=self._why_nothing(last, logs[id(last)])))
            for other in attempts:
                if other is not best:
                    other.raw.unlink(missing_ok=True)
            profile = self._profile(best, logs[id(best)])
            if profile is not None:
                profiles.append(profile)
        for recording in ended:
            recording.log.unlink()
        return profiles

    def _has_ended(self, recording: PySpyRecording) -> bool:
        try:
            recording.process.wait(_WRITE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.note(message("cpu-py-spy-hangs", phase=recording.name))
            return False
        return True

    def _profile(self, recording: PySpyRecording, log: str) -> Profile | None:
        """The profile of the recording; None, and a note, if there are no samples."""
        if not recording.raw.exists():
            self.note(self._why_nothing(recording, log))
            return None
        self._note_doubts(recording, log)
        raw = self._folder.cpu / f"{recording.stem}.py-spy.txt"
        stacks = _COMMANDS.sub(lambda found: redacted(found[0]), recording.raw.read_text(errors="replace"))
        recording.raw.write_text(stacks)
        recording.raw.rename(raw)
        folded = raw.with_name(f"{recording.stem}.folded")
        write_folded(folded, fold(stacks, self._pid, anywhere=self._variant != ONLY))
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
            variant=self._variant,
        )

    def _why_nothing(self, recording: PySpyRecording, log: str) -> Message:
        phase = recording.name
        if recording.was_cut_short or "KeyboardInterrupt" in log:
            return message("cpu-phase-too-short", phase=phase)
        reason = complaint(log)
        if reason:
            return message("cpu-py-spy-failed", phase=phase, reason=reason)
        return message("cpu-py-spy-ended", phase=phase, status=recording.process.returncode)

    def _note_doubts(self, recording: PySpyRecording, log: str) -> None:
        phase, rate_hz = recording.name, recording.rate_hz
        samples, errors = counts(log)
        if recording.cores is not None and self._rate.is_too_expensive(recording.cores):
            self.note(message("cpu-sampling-expensive", phase=phase, cores=recording.cores, rate_hz=rate_hz))
        expected = _MANY_ERRORS * (samples + errors)
        if errors > expected + 2 * math.sqrt(expected):  # more than chance explains if there are few
            self.note(message("cpu-samples-unreadable", phase=phase, errors=errors, samples=samples + errors))
        if "behind in sampling" in log:
            self.note(message("cpu-rate-too-high", phase=phase, rate_hz=rate_hz))

    def clean_up(self) -> None:
        for recording in self._recordings:
            if recording.process.poll() is None:
                recording.process.kill()
                recording.process.wait()


class BuildsCpuSampler(Sampler):
    """Records one start of each build of a duet, at one rate for both."""

    def __init__(self, samplers: Sequence[tuple[str, CpuSampler]]) -> None:
        """``samplers``: each with the name of its target, for people."""
        super().__init__()
        self._samplers = samplers

    @property
    def notes(self) -> list[Message]:
        return list(dict.fromkeys(note for _, sampler in self._samplers for note in sampler.notes))

    def begin_phase(self, index: int, name: str) -> None:
        for target, sampler in self._samplers:
            sampler.begin_phase(index, f"{name}, {target}")

    def end_phase(self) -> None:
        for _, sampler in self._samplers:
            sampler.end_phase()

    def close(self) -> list[Profile]:
        return [profile for _, sampler in self._samplers for profile in sampler.close()]


def _create(context: SamplingContext) -> Sampler:
    assert context.settings.cpu is not None
    sampled = context.targets[:2]  # each py-spy takes 0.03 of a core, however seldom it samples
    rate = SamplingRate(context.settings.cpu.rate_hz, context.cores, len(sampled))
    samplers = []
    for variant, target in sampled:
        assert target.pid is not None
        samplers.append((f"build {variant.upper()}", CpuSampler(target.pid, rate, context.folder, variant)))
    return BuildsCpuSampler(samplers) if len(samplers) > 1 else samplers[0][1]


CPU = SamplerKind(
    name="CPU",
    stream="profiles",
    during=During.LOAD,
    enabled=lambda settings: settings.cpu is not None,
    unavailable=lambda target: PID_UNKNOWN if target.pid is None else None,
    create=_create,
)
