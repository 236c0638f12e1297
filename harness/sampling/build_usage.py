"""In a duet: CPU time and memory of each build, often enough to know the CPU time by block of turns."""

from __future__ import annotations

import os
from typing import ClassVar

from harness.record.resources import Reading
from harness.sampling.process_tree import process_trees
from harness.sampling.sampler import During, PeriodicSampler, Sampler, SamplerKind, SamplingContext
from harness.sampling.tree_clock import TreeClock, read_proc
from harness.targets.target import Target

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class BuildUsageSampler(PeriodicSampler):
    """Readings of ``build a`` and ``build b``.

    ``cpu_s`` is what all its processes have used since the first reading, ``rss_bytes`` the memory that they hold: the
    mean of its starts.
    """

    period_s: ClassVar[float] = 0.25

    def __init__(self, context: SamplingContext) -> None:
        super().__init__(context)
        self._targets: dict[str, list[Target]] = {}
        for variant, target in context.targets:
            if target.pid is not None:
                self._targets.setdefault(variant, []).append(target)
        self._clocks = {variant: TreeClock() for variant in self._targets}
        self._used_s = dict.fromkeys(self._targets, 0.0)

    def read(self, now_epoch_s: float) -> list[Reading]:
        readings = []
        for variant, targets in self._targets.items():
            roots = [target.pid or 0 for target in targets]  # a fault may have started one again
            pids = [pid for tree in process_trees(*roots) for pid in tree]
            self._used_s[variant] += self._clocks[variant].gained(pids)
            rss_bytes = sum(map(_rss_bytes, pids)) / len(roots)
            values = {"cpu_s": self._used_s[variant], "rss_bytes": rss_bytes}
            readings.append(Reading(now_epoch_s, f"build {variant}", values))
        return readings


def _rss_bytes(pid: int) -> int:
    """The resident memory of a process; 0 if it has ended."""
    text = read_proc(f"/proc/{pid}/statm")
    return int(text.split()[1]) * _PAGE_BYTES if text else 0


def _create(context: SamplingContext) -> Sampler:
    return BuildUsageSampler(context) if len(context.targets) > 1 else Sampler()


BUILD_USAGE = SamplerKind(name="usage of builds", stream="resources", during=During.WHOLE_RUN, create=_create)
