"""Runs the samplers of one run: starts those of the plan, and switches them with the phases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from harness.messages import Message, message
from harness.plan.model.phase import Phase
from harness.plan.model.sampling import Sampling
from harness.plan.phases import MEMORY_PASS, phase_kind
from harness.record.profiles import ProfileIndex
from harness.record.resources import READINGS
from harness.record.run_folder import RunFolder
from harness.sampling.registry import SAMPLERS
from harness.sampling.sampler import During, Sampler, SamplerKind, SamplingContext
from harness.targets.target import Target


def _part(phase: Phase) -> During | None:
    """The part of the run that a phase belongs to; None if no sampler of phases runs in it."""
    if phase.kind == MEMORY_PASS:
        return During.DIAGNOSE
    return During.LOAD if phase_kind(phase.kind).has_load else None


class SamplingSession:
    """A context manager around the load. Samplers that fail cost their data, and never the run.

    ``generator_pids`` returns the process ids of the load generator. ``cores`` is how many there are for target,
    generator and samplers together. ``index`` is complete at the end.
    """

    def __init__(
        self,
        phases: Sequence[Phase],
        settings: Sampling,
        targets: Sequence[tuple[str, Target]],
        folder: RunFolder,
        generator_pids: Callable[[], list[int]],
        *,
        cores: int,
    ) -> None:
        self._phases = phases
        self._folder = folder
        self._readings = READINGS.writer(folder.resources)
        self._context = SamplingContext(targets, settings, folder, self._readings, generator_pids, cores)
        parts = {During.WHOLE_RUN, *map(_part, phases)}
        self._samplers: list[tuple[SamplerKind, Sampler]] = []
        self.index = ProfileIndex()
        self._notes: dict[Message, None] = {}
        self._available: list[SamplerKind] = []
        for kind in SAMPLERS:
            if kind.during in parts and kind.enabled(settings):
                reason = next((reason for _, target in targets if (reason := kind.unavailable(target))), None)
                if reason is None:
                    self._available.append(kind)
                else:
                    self._notes[reason] = None

    @property
    def useless_phases(self) -> list[int]:
        """The phases, by index, that only serve samplers of which none can record anything."""
        recorded = {kind.during for kind in self._available}
        return [
            index
            for index, phase in enumerate(self._phases)
            if _part(phase) is During.DIAGNOSE and During.DIAGNOSE not in recorded
        ]

    def __enter__(self) -> Self:
        for kind in self._available:
            try:
                sampler = kind.create(self._context)
                sampler.start()
                self._samplers.append((kind, sampler))
            except Exception as error:  # noqa: BLE001  (a sampler that fails costs its data, not the run)
                self._note_failure(kind, error)
        return self

    def __exit__(self, *_: object) -> None:
        """End all sampling and write all files, the index of profiles among them."""
        for kind, sampler in self._samplers:
            try:
                self.index.profiles += sampler.close()
            except Exception as error:  # noqa: BLE001  (as above)
                self._note_failure(kind, error)
            self._notes |= dict.fromkeys(sampler.notes)
        self._readings.close()
        self.index.notes += self._notes
        self.index.save(self._folder.profiles)

    def phase_started(self, index: int) -> None:
        """The plan's phase ``index`` has begun. Returns at once."""
        for sampler in self._samplers_in(self._phases[index]):
            sampler.begin_phase(index, self._phases[index].name)

    def phase_ended(self, index: int) -> None:
        """The plan's phase ``index`` has ended. Returns at once; files are written in the background."""
        for sampler in self._samplers_in(self._phases[index]):
            sampler.end_phase()

    def _samplers_in(self, phase: Phase) -> list[Sampler]:
        return [sampler for kind, sampler in self._samplers if kind.during in (During.WHOLE_RUN, _part(phase))]

    def _note_failure(self, kind: SamplerKind, error: Exception) -> None:
        note = message("sampler-failed", sampler=kind.name, error=type(error).__name__, reason=str(error))
        self._notes[note] = None
