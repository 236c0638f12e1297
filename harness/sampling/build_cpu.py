"""In a duet: the CPU time of each build, often enough to know it by block of turns."""

from __future__ import annotations

from typing import ClassVar

from harness.record.resources import Reading
from harness.sampling.process_usage import process_trees
from harness.sampling.sampler import During, PeriodicSampler, Sampler, SamplerKind, SamplingContext
from harness.sampling.tree_clock import TreeClock


class BuildCpuSampler(PeriodicSampler):
    """Readings of ``build a`` and ``build b``: ``cpu_s``, what all their processes have used since the first one."""

    period_s: ClassVar[float] = 0.25

    def __init__(self, context: SamplingContext) -> None:
        super().__init__(context)
        self._pids: dict[str, list[int]] = {}
        for variant, target in context.targets:
            if target.pid is not None:
                self._pids.setdefault(variant, []).append(target.pid)
        self._clocks = {variant: TreeClock() for variant in self._pids}
        self._used_s = dict.fromkeys(self._pids, 0.0)

    def read(self, now_epoch_s: float) -> list[Reading]:
        readings = []
        for variant, roots in self._pids.items():
            pids = [pid for tree in process_trees(*roots) for pid in tree]
            self._used_s[variant] += self._clocks[variant].gained(pids)
            readings.append(Reading(now_epoch_s, f"build {variant}", {"cpu_s": self._used_s[variant]}))
        return readings


def _create(context: SamplingContext) -> Sampler:
    return BuildCpuSampler(context) if len(context.targets) > 1 else Sampler()


BUILD_CPU = SamplerKind(name="CPU of builds", stream="resources", during=During.WHOLE_RUN, create=_create)
