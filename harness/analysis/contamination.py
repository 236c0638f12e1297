"""In which seconds other processes took the cores from the target or the load generator.

*Others* are all processes of the machine that neither the target nor the harness has started, without the servers that
the target is connected to (:mod:`harness.sampling.dependencies`). The hypervisor counts as one, with the time that it
stole. A second is **contaminated** if both hold:

- Others used more than :data:`~harness.analysis.taken_cores.TAKEN` cores. Less is what a quiet machine does in the
  background, and what the kernel's clocks, which tick every 10 ms, cannot tell from nothing.
- The target, or a load worker, lost more than :data:`~harness.analysis.taken_cores.LOST` of the time for which it
  wanted a core. What it lost to others is at most the time that its threads waited in run queues, and at most the time
  that others used.

The seconds after it are contaminated, too, as long as more than :data:`~harness.analysis.backlog.BACKLOG` of the
requests that end in them began before it ended: the queue that others have caused takes time to clear.

The second condition separates others from the target itself. A target with more busy threads than cores waits for its
own threads: they wait for seconds, but others used nothing, so the target lost nothing to them. It is slow, and that
stays in the figures. A busy neighbour on other cores makes the target wait for nothing. CPU quotas of a control group
are not others either: the target itself uses them up.

Others only add time, so a gate does not fail because of contaminated seconds (see :mod:`harness.gates.run_gates`). The
clean seconds represent the phase if they are at least :data:`ENOUGH_S` and :data:`ENOUGH` of it. With fewer, the
interval says little, and the neighbour has chosen the seconds.

Only the *counted* seconds are examined: those that no fault disturbed (:mod:`harness.analysis.faults`) or, for a gate
on a fault, those under it. All others are left out in any case.

In a duet, others take the cores from both builds alike, so no second is left out.

Where the target's process is not known, it would itself be one of the others, so no second is contaminated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain

import numpy as np

from harness.analysis.backlog import add_backlog
from harness.analysis.faults import disturbed_in, under_fault
from harness.analysis.samples import seconds_in, whole_sample
from harness.analysis.taken_cores import contaminated_intervals
from harness.record.resources import OTHERS
from harness.record.second_table import Bools
from harness.recording.run import PhaseRecord, RunRecording

ENOUGH_S = 5
ENOUGH = 0.5
_MOST_NAMED = 3
_OVERLAP_S = 0.05
"""Readings are taken once a second, but not as the run's second begins: both seconds that they touch count."""


@dataclass(frozen=True, eq=False)
class Contamination:
    """Which ``counted`` seconds of a phase are contaminated, and how many cores others used in those.

    ``first`` is the phase's first second, as the run counts; ``seconds`` and ``counted`` have the shape ``(n,)``.
    """

    first: int
    seconds: Bools
    counted: Bools
    others_cores: float

    @property
    def count(self) -> int:
        return int(self.seconds.sum())

    @property
    def all_counted(self) -> int:
        """How many seconds are counted, contaminated or not."""
        return int(self.counted.sum())

    @property
    def share(self) -> float:
        """Of the counted seconds, 0…1."""
        return self.count / max(1, self.all_counted)

    @property
    def numbers(self) -> list[int]:
        """The contaminated seconds, as the run counts."""
        return self._numbers(self.seconds)

    @property
    def not_counted(self) -> frozenset[int]:
        return frozenset(self._numbers(~self.counted))

    @property
    def all_but_clean(self) -> frozenset[int]:
        return frozenset(self._numbers(~self.counted | self.seconds))

    @property
    def left_out(self) -> frozenset[int]:
        """Those that do not count: the contaminated ones only if enough others are left."""
        return self.all_but_clean if self.leaves_enough else self.not_counted

    @property
    def clean(self) -> int:
        """How many seconds are clean."""
        return self.all_counted - self.count

    @property
    def leaves_enough(self) -> bool:
        """Whether the clean seconds stand for those counted; true where all are clean."""
        return not self.count or (self.clean >= ENOUGH_S and self.clean >= ENOUGH * self.all_counted)

    @property
    def faults_leave_enough(self) -> bool:
        """Whether enough undisturbed seconds are left: a few suffice, because the user planned the faults."""
        return bool(self.counted.all()) or self.all_counted >= ENOUGH_S

    def _numbers(self, which: Bools) -> list[int]:
        return (self.first + np.flatnonzero(which)).tolist()


def contamination_of(record: PhaseRecord, run: RunRecording, during: str | None = None) -> Contamination:
    """The contaminated seconds of a phase, of those under the fault ``during`` if one is named. Computed once."""

    def compute() -> Contamination:
        span = seconds_in(record)
        seconds, taken = np.zeros(len(span), dtype=np.bool_), []
        counted = ~disturbed_in(record, run) if during is None else under_fault(record, run, during)
        for interval in () if record.turns else contaminated_intervals(run):
            first, last = int(interval.begin_s + _OVERLAP_S), int(interval.end_s - _OVERLAP_S)
            touched = [at - span.start for at in range(first, last + 1) if at in span]
            seconds[touched] = True
            taken += [interval.others_cores] * bool(counted[touched].any())
        if taken:
            add_backlog(seconds, whole_sample(record))
        return Contamination(span.start, seconds & counted, counted, float(np.mean(taken)) if taken else 0.0)

    return run.once(f"contamination of {record.index} {record.variant} {during}", compute)


def most_of_others(record: PhaseRecord, run: RunRecording) -> dict[str, float]:
    """The processes of others that used most in the contaminated seconds: by name, their cores on average."""
    seconds = set(contamination_of(record, run).numbers)
    named = [
        reading.values
        for reading in run.readings
        if reading.source == OTHERS and int(reading.epoch_s - run.journal.epoch_s - 0.5) in seconds
    ]
    cores = {name: sum(used.get(name, 0.0) for used in named) / len(named) / 100 for name in {*chain(*named)}}
    return {name: cores[name] for name in nlargest(_MOST_NAMED, cores, key=cores.__getitem__)}


def spans_of(seconds: Iterable[int]) -> list[tuple[int, int]]:
    """The seconds of a run as spans, each with its start and end."""
    known = set(seconds)
    starts = sorted(second for second in known if second - 1 not in known)
    ends = sorted(second + 1 for second in known if second + 1 not in known)
    return list(zip(starts, ends, strict=True))
