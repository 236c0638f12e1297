"""All sampling of one run behind one face: told which phase runs, it samples what the plan asks for there."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from harness.plan.model import Phase, RunPlan
from harness.record.profiles import ProfileIndex
from harness.record.run_folder import RunFolder
from harness.sampling.cpu import CpuSampler
from harness.sampling.memory import MemorySampler
from harness.sampling.process_usage import ProcessSampler
from harness.sampling.sampler import PhaseSampler, SampledTarget
from harness.sampling.sampling_rate import SamplingRate


class SamplingSession:
    """A context manager around the load. CPU is sampled in every phase but ``pause`` and ``diagnose``, memory in
    ``diagnose`` only, resources all the time. What fails is noted, and never raised.

    ``generator_pids`` is asked each second for the process numbers of the load generator. ``cores`` is how many there
    are for target, generator and samplers together.
    """

    def __init__(
        self,
        plan: RunPlan,
        target: SampledTarget,
        folder: RunFolder,
        generator_pids: Callable[[], list[int]],
        *,
        cores: int,
    ) -> None:
        self._phases = plan.phases
        self._folder = folder
        self._index: ProfileIndex | None = None
        self._notes: list[str] = []
        self._resources = ProcessSampler(target.pid, generator_pids, folder)
        self._cpu: PhaseSampler | None = None
        self._memory: PhaseSampler | None = None
        if target.pid is None:
            self._notes.append("the target was not sampled: its process is not known: --pid N")
        elif plan.sampling.cpu is not None:
            self._cpu = CpuSampler(target.pid, SamplingRate(plan.sampling.cpu.rate_hz, cores), folder)
        if plan.sampling.memory is not None and any(phase.kind == "diagnose" for phase in plan.phases):
            if target.managed:
                self._memory = MemorySampler(target, folder)
            else:
                self._notes.append("memory was not sampled: that needs a target which the harness starts: --target CMD")

    def __enter__(self) -> Self:
        self._resources.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def phase_started(self, index: int) -> None:
        """The plan's phase ``index`` has begun. Returns at once."""
        sampler = self._sampler_for(self._phases[index])
        if sampler is not None:
            sampler.begin_phase(index, self._phases[index].name)

    def phase_ended(self, index: int) -> None:
        """The plan's phase ``index`` has ended. Returns at once; files are written behind the caller's back."""
        sampler = self._sampler_for(self._phases[index])
        if sampler is not None:
            sampler.end_phase()

    def close(self) -> ProfileIndex:
        """End all sampling, write all files; the index is saved in the run folder too. May be called twice."""
        if self._index is None:
            self._index = ProfileIndex(notes=self._notes)
            self._resources.close()
            self._index.notes += self._resources.notes
            for sampler in (self._cpu, self._memory):
                if sampler is not None:
                    self._collect(sampler, self._index)
            self._index.save(self._folder.profiles)
        return self._index

    def _collect(self, sampler: PhaseSampler, index: ProfileIndex) -> None:
        try:
            index.profiles += sampler.close()
        except Exception as error:  # noqa: BLE001  (a sampler that fails costs its profiles, not the run)
            index.notes.append(f"{sampler.name} was not sampled: {type(error).__name__}: {error}")
        index.notes += sampler.notes

    def _sampler_for(self, phase: Phase) -> PhaseSampler | None:
        match phase.kind:
            case "pause":
                return None
            case "diagnose":
                return self._memory
            case _:
                return self._cpu
