"""CPU profiles in three tiers: threads that hold the GIL, all busy threads, and all threads.

A thread that holds the GIL runs Python code. py-spy finds it without reading the stacks of the others, which is cheap.
Threads that only wait for the GIL are not taken for busy ones. What runs without the GIL (native code, the kernel) is
seen by the second tier, at a few samples per second, and the third shows what threads wait for.
``benchmarks/sampling.py`` measures what they take from a target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import psutil

from harness.messages import Message, message
from harness.plan.model.sampling import MAX_OVERHEAD
from harness.record.measurement import ONLY
from harness.record.profiles import Profile
from harness.record.run_folder import RunFolder
from harness.sampling.child import tool
from harness.sampling.cpu_profile import profile_of
from harness.sampling.perf import PerfSampler, why_no_perf, why_not_python
from harness.sampling.py_spy import has_capability, may_read_memory
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
from harness.sampling.spans import PhaseRecorder, Tier
from harness.targets.agent_client import Agent
from harness.targets.target import Target

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
            profile, doubts = profile_of(recorder, {*self._roots, self._root()}, self._folder, self._variant)
            for doubt in doubts:
                self.note(doubt)
            if profile is not None:
                profiles.append(profile)
            if recorder.tier is self._tiers[0][0]:  # the others would say the same again
                for note in recorder.notes:
                    self.note(note)
        return profiles


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
