"""CPU profiles in three tiers: threads that hold the GIL, all busy threads, and all threads.

A thread that holds the GIL runs Python code. py-spy finds it without reading the stacks of the others, which is cheap.
Threads that only wait for the GIL are not taken for busy ones. What runs without the GIL (native code, the kernel) is
seen by the second tier, at a few samples per second, and the third shows what threads wait for.
``benchmarks/sampling.py`` measures what they take from a target.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import psutil

from harness.messages import Message, message
from harness.plan.model.sampling import MAX_OVERHEAD
from harness.record.measurement import ONLY
from harness.record.profiles import TASK, Profile, Span, Stack, write_folded
from harness.record.run_folder import RunFolder
from harness.sampling.child import tool
from harness.sampling.frame_names import own_files, python_of
from harness.sampling.perf import PerfSampler, why_no_perf, why_not_python
from harness.sampling.py_spy import complaint, counts, fold, has_capability, may_read_memory
from harness.sampling.python_process import runs_python
from harness.sampling.sampler import (
    PID_UNKNOWN,
    During,
    PhaseSampler,
    Sampler,
    SamplerKind,
    SamplingContext,
    file_stem,
)
from harness.sampling.sampling_rate import SamplingRate
from harness.sampling.spans import PhaseRecorder, RecordedSpan, Tier, discard
from harness.sampling.wait_hints import with_hints
from harness.targets.agent_client import Agent
from harness.targets.target import Target

_MANY_ERRORS = 0.25
"""py-spy does not stop the target, whose stacks change while they are read. That alone costs a tenth of the samples."""
_NOTABLE_CORES = 0.03
"""What sampling takes beyond its share is worth a warning from here on."""
THREADS_HZ = 5
MIN_HZ = 10
"""What a useful profile needs. A target with very many threads then costs more than its share."""
_SHARES = 0.7, 0.15, 0.15
"""Of the overhead that the tiers may cause together."""


def gil_tier(max_hz: int) -> Tier:
    """Threads that hold the GIL."""
    return Tier("cpu", "", "gil", max_hz, MIN_HZ, _SHARES[0], span_s=4.0)


def threads_tier(max_hz: int) -> Tier:
    """All threads that do not sleep."""
    return Tier("threads", ".threads", "busy", max_hz, 1, _SHARES[1], span_s=12.0)


def waits_tier(max_hz: int) -> Tier:
    """All threads, also sleeping ones, and tasks: what they wait for. Its spans are short, as waits come in bursts."""
    return Tier("waits", ".waits", "all", max_hz, 1, _SHARES[2], span_s=6.0)


RatedTier = tuple[Tier, SamplingRate]


def rated(
    tiers: Iterable[Tier], cores: float | None, targets: int = 1, max_overhead: float = MAX_OVERHEAD
) -> list[RatedTier]:
    """Each tier with its rate; together they may use the share ``max_overhead`` of ``cores``.

    ``cores`` are those for target, generator and samplers. Without them, it is the highest rate, whatever that costs.
    """
    shares = {tier: max_overhead * tier.overhead_share for tier in tiers}
    return [
        (tier, SamplingRate(tier.max_hz, cores, share=share, min_hz=tier.min_hz, targets=targets))
        for tier, share in shares.items()
    ]


class CpuSampler(PhaseSampler):
    """Records the process tree of ``root()`` into ``cpu/INDEX-PHASE.folded``, and by spans into ``….spans.folded``.

    The builds of a duet share the rates of the tiers.
    """

    def __init__(
        self,
        root: Callable[[], int],
        tiers: Sequence[RatedTier],
        folder: RunFolder,
        variant: str = ONLY,
        agents: Callable[[], Sequence[Agent]] | None = None,
    ) -> None:
        super().__init__()
        self._root = root
        self._agents = agents
        self._roots: set[int] = set()
        self._variant = variant
        self._tiers = tiers
        self._folder = folder
        self._recorders: list[PhaseRecorder] = []
        self._py_spy = tool("py-spy")
        if self._py_spy is None:
            self.note(message("cpu-py-spy-missing"))
        folder.cpu.mkdir(exist_ok=True)

    def begin_phase(self, index: int, name: str) -> None:
        self.end_phase()
        if self._py_spy is not None:
            self.submit(self._start, self._py_spy, index, name, time.monotonic())

    def end_phase(self) -> None:
        self.submit(self._end_recorders, time.monotonic())

    def _start(self, py_spy: str, index: int, name: str, began_s: float) -> None:
        self._roots.add(pid := self._root())
        # A fault may start a target again that does not run now.
        if psutil.pid_exists(pid) and not may_read_memory(pid) and not has_capability(py_spy):
            self.note(message("cpu-no-permission"))
            return
        for tier, rate in self._tiers:
            stem = self._folder.cpu / f"{file_stem(index, name)}{tier.suffix}"
            agents = self._agents if tier.kind == "waits" else None
            self._recorders.append(PhaseRecorder(py_spy, self._root, tier, rate, stem, index, name, began_s, agents))

    def _end_recorders(self, now_s: float) -> None:
        for recorder in self._recorders:
            recorder.end(now_s)

    def collect(self) -> list[Profile]:
        profiles = []
        for recorder in self._recorders:
            recorder.wait()
            profile = self._profile(recorder)
            if profile is not None:
                profiles.append(profile)
            if recorder.tier is self._tiers[0][0]:  # the others would say the same again
                for note in recorder.notes:
                    self.note(note)
        return profiles

    def _profile(self, recorder: PhaseRecorder) -> Profile | None:
        """The profile of all spans that were written; None if there are none."""
        whole: Counter[tuple[str, ...]] = Counter()
        by_span: list[Stack] = []
        own: set[str] = set()
        python: str | None = None
        spans: list[RecordedSpan] = []
        logs: list[str] = []
        for span in recorder.spans:
            written = any(recording.raw.exists() for recording in span.recordings.values())
            for pid, outer, raw in self._raw(recorder, span) if written else ():
                python = python or python_of(raw)
                own |= own_files(raw, anywhere=self._variant != ONLY)
                for stack in fold(raw, anywhere=self._variant != ONLY):
                    frames = (*outer, *stack.frames)
                    whole[frames] += stack.weight
                    by_span.append(Stack((f"span {len(spans)}", f"pid {pid}", *frames), stack.weight))
            logs += [recording.log.read_text(errors="replace") for recording in span.recordings.values()]
            for recording in span.recordings.values():
                discard(recording)
            if written:
                spans.append(span)
        if not spans:
            if logs:  # it sampled, but could not write its file
                self.note(message("cpu-py-spy-failed", phase=recorder.name, reason=complaint(logs[0])))
            return None
        self._note_doubts(recorder, spans, logs)
        folded = recorder.stem.with_name(f"{recorder.stem.name}.folded")
        write_folded(folded, [Stack(frames, weight) for frames, weight in whole.items()])
        spans_path = folded.with_suffix(".spans.folded")
        write_folded(spans_path, by_span)
        parts = [_span(span, recorder.began_s) for span in spans]
        sampled_s = sum(part.duration_s for part in parts)
        seen = sum(part.rate_hz * part.duration_s for part in parts)
        return Profile(
            kind=recorder.tier.kind,
            phase=recorder.index,
            path=str(folded.relative_to(self._folder.path)),
            unit="samples",
            offset_s=parts[0].offset_s,
            duration_s=round(parts[-1].offset_s + parts[-1].duration_s - parts[0].offset_s, 3),
            rate_hz=round(seen / sampled_s, 3) if sampled_s else parts[0].rate_hz,
            cores=_mean_cores(spans),
            variant=self._variant,
            spans_path=str(spans_path.relative_to(self._folder.path)),
            spans=parts,
            own=sorted(own),
            python=python,
        )

    def _raw(self, recorder: PhaseRecorder, span: RecordedSpan) -> Iterator[tuple[int, tuple[str, ...], str]]:
        """What was recorded in a span: process id, the frames around its stacks, and stacks as py-spy writes them."""
        for recording in span.recordings.values():
            if recording.raw.exists():
                raw = recording.raw.read_text(errors="replace")
                process = () if recording.pid in {*self._roots, self._root()} else (f"process {recording.name}",)
                yield recording.pid, process, with_hints(raw) if recorder.tier.kind == "waits" else raw
        if span.tasks is not None:
            for pid, raw in span.tasks.raw_by_pid(span.duration_s * span.rate_hz).items():
                yield pid, (TASK,), raw

    def _note_doubts(self, recorder: PhaseRecorder, spans: list[RecordedSpan], logs: list[str]) -> None:
        phase, rate_hz = recorder.name, recorder.rate.hz
        cores = _mean_cores(spans[1:])  # the first one could not know the cost
        if cores is not None and cores > _NOTABLE_CORES and recorder.rate.is_too_expensive(cores):
            self.note(message("cpu-sampling-expensive", phase=phase, cores=cores, rate_hz=rate_hz))
        samples, errors = (sum(each) for each in zip(*map(counts, logs), strict=True))
        expected = _MANY_ERRORS * (samples + errors)
        if errors > expected + 2 * math.sqrt(expected):  # more than chance explains if there are few
            self.note(message("cpu-samples-unreadable", phase=phase, errors=errors, samples=samples + errors))
        if any("behind in sampling" in log for log in logs):
            self.note(message("cpu-rate-too-high", phase=phase, rate_hz=rate_hz))
        for problem in {span.tasks.problem for span in spans if span.tasks is not None} - {""}:
            self.note(message("tasks-not-seen", phase=phase, reason=problem))


def _span(span: RecordedSpan, began_s: float) -> Span:
    return Span(
        offset_s=round(span.began_s - began_s, 3),
        duration_s=round(span.duration_s, 3),
        rate_hz=float(span.rate_hz),
        cpu_s={pid: round(used_s, 6) for pid, used_s in span.clocks_s.items()},
    )


def _mean_cores(spans: list[RecordedSpan]) -> float | None:
    known = [(span.cores, span.duration_s) for span in spans if span.cores is not None]
    length_s = sum(span_s for _, span_s in known)
    return round(sum(cores * span_s for cores, span_s in known) / length_s, 4) if length_s else None


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
    rate_hz, max_overhead = context.settings.cpu.rate_hz, context.settings.cpu.max_overhead
    sampled = context.targets[:2]  # of several starts, one of each build
    if len(sampled) == 1 and context.target.pid is not None and not runs_python(context.target.pid):
        return PerfSampler(partial(_root, context.target), rate_hz, context.folder)
    few_hz = min(rate_hz, THREADS_HZ)
    tiers = (gil_tier(rate_hz), threads_tier(few_hz), waits_tier(few_hz))
    with_rates = rated(tiers, context.cores, len(sampled), max_overhead)
    samplers = []
    for variant, target in sampled:
        sampler = CpuSampler(partial(_root, target), with_rates, context.folder, variant, target.agents)
        samplers.append((f"build {variant.upper()}", sampler))
    return BuildsCpuSampler(samplers) if len(samplers) > 1 else samplers[0][1]


def _root(target: Target) -> int:
    """Its first process, another one once a fault has started it again."""
    assert target.pid is not None
    return target.pid


def _why_unavailable(target: Target) -> Message | None:
    if target.pid is None:
        return PID_UNKNOWN
    return None if runs_python(target.pid) or why_no_perf(target.pid) is None else why_not_python(target.pid)


CPU = SamplerKind(
    name="CPU",
    stream="profiles",
    during=During.LOAD,
    enabled=lambda settings: settings.cpu is not None,
    unavailable=_why_unavailable,
    create=_create,
)
