"""In which seconds other processes took the cores from the target or the load generator.

*Others* are all processes of the machine that neither the target nor the harness has started; the hypervisor counts as
one, with the time that it stole. A second is **contaminated** if both hold:

- Others used more than :data:`TAKEN` cores. Less is what a quiet machine does in the background, and what the kernel's
  clocks, which tick every 10 ms, cannot tell from nothing.
- The target, or a load worker, lost more than :data:`LOST` of the time for which it wanted a core. What it lost to
  others is at most the time that its threads waited in run queues, and at most the time that others used.

The seconds after it are contaminated, too, as long as more than :data:`BACKLOG` of the requests that end in them began
before it ended: the queue that others have caused takes time to clear.

The second condition tells others from the target's own doing. A target with more busy threads than cores waits for
itself: its threads wait for seconds, but others used nothing, so it lost nothing to them. It is slow, and that stays in
the figures. A busy neighbour on other cores makes nobody wait. CPU quotas of a control group are not others either:
the target uses them up by itself.

Others only add time, so a verdict that a contaminated second could have made is not made (see
:mod:`harness.gates.run_gates`). Figures of the clean seconds stand for the phase if they are at least
:data:`ENOUGH_S` and :data:`ENOUGH` of it: with fewer, the interval knows little, and the neighbour chose them.

In a duet, others take the cores from both builds alike, so no second is left out.

Where the target's process is not known, it would itself be one of the others, so no second is contaminated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from harness.analysis.samples import Sample, seconds_in, whole_sample
from harness.record.histogram import lowest_of
from harness.record.journal_entries import WorkerSecond
from harness.record.resources import Reading
from harness.recording.run import PhaseRecord, RunRecording

TAKEN = 0.2
"""Cores."""
LOST = 0.1
BACKLOG = 0.01
ENOUGH_S = 5
ENOUGH = 0.5
_OVERLAP_S = 0.05
"""Readings are taken once a second, but not as the run's second begins: both seconds that they touch count."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Contamination:
    """Which seconds of a phase are contaminated (shape ``(n,)``), and how many cores others used in those.

    ``first`` is the phase's first second, as the run counts.
    """

    first: int
    seconds: Bools
    others_cores: float

    @property
    def count(self) -> int:
        return int(self.seconds.sum())

    @property
    def share(self) -> float:
        """Of the phase's seconds, 0…1."""
        return self.count / len(self.seconds)

    @property
    def numbers(self) -> list[int]:
        """The contaminated seconds, as the run counts."""
        return (self.first + np.flatnonzero(self.seconds)).tolist()

    @property
    def left_out(self) -> frozenset[int]:
        """Those that do not count, as enough others are left."""
        return frozenset(self.numbers) if self.leaves_enough else frozenset()

    @property
    def clean(self) -> int:
        """How many seconds are clean."""
        return len(self.seconds) - self.count

    @property
    def leaves_enough(self) -> bool:
        """Whether the clean seconds stand for the phase; true where all are clean."""
        return not self.count or (self.clean >= ENOUGH_S and self.clean >= ENOUGH * len(self.seconds))


@dataclass(frozen=True, slots=True)
class Interval:
    """From one reading to the next, in seconds of the run."""

    begin_s: float
    end_s: float
    others_cores: float
    contaminated: bool


def contamination_of(record: PhaseRecord, run: RunRecording) -> Contamination:
    """The contaminated seconds of a phase. Computed once."""

    def compute() -> Contamination:
        during = seconds_in(record)
        seconds, taken = np.zeros(len(during), dtype=np.bool_), []
        for interval in () if record.turns else contaminated_intervals(run):
            first, last = int(interval.begin_s + _OVERLAP_S), int(interval.end_s - _OVERLAP_S)
            touched = [at - during.start for at in range(first, last + 1) if at in during]
            seconds[touched] = True
            taken += [interval.others_cores] * bool(touched)
        if taken:
            _add_backlog(seconds, whole_sample(record))
        return Contamination(during.start, seconds, float(np.mean(taken)) if taken else 0.0)

    return run.once(f"contamination of {record.index} {record.variant}", compute)


def _add_backlog(seconds: Bools, sample: Sample) -> None:
    """Add to the contaminated ``seconds`` those in which what began in them was still ending."""
    lasted_s = lowest_of(sample.buckets) / 1e6
    ends = np.flatnonzero(seconds[:-1] & ~seconds[1:]) + 1
    for end in ends.tolist():
        at = end
        while at < len(seconds) and not seconds[at]:
            # Half a second of what ends in a second has passed since its start, on average.
            late = (sample.seconds == at) & (lasted_s > at + 0.5 - end)
            if sample.timed[at] and sample.counts[late].sum() <= BACKLOG * sample.timed[at]:
                break
            seconds[at] = True
            at += 1


def contaminated_intervals(run: RunRecording) -> list[Interval]:
    """The times between two readings in which others took the cores. Computed once."""

    def compute() -> list[Interval]:
        workers = {second.second: second.workers for second in run.journal.seconds}
        found = intervals_of(run.readings, run.journal.epoch_s, workers)
        return [interval for interval in found if interval.contaminated]

    return run.once("contaminated intervals", compute)


def intervals_of(
    readings: Sequence[Reading], epoch_s: float, workers: Mapping[int, Sequence[WorkerSecond]]
) -> list[Interval]:
    """The times between readings that show it; ``workers`` are the load workers' states by second of the run."""
    by_time: dict[float, dict[str, Reading]] = {}
    for reading in readings:
        if reading.source in ("machine", "target"):
            by_time.setdefault(reading.epoch_s - epoch_s, {})[reading.source] = reading
    found = []
    for begin_s, end_s in pairwise(by_time):
        machine, target = by_time[end_s].get("machine"), by_time[end_s].get("target")
        if machine is None or target is None or "others_percent" not in machine.values:
            continue
        taken = _others_cores(machine)
        lost = [_lost(target.values["cpu_percent"], target.values.get("waiting_percent", 0.0), taken)]
        lost += [_lost(100 * state.cpu, 100 * state.starved, taken) for state in workers.get(int(end_s - 0.5), ())]
        found.append(Interval(begin_s, end_s, taken, taken > TAKEN and max(lost) > LOST))
    return found


def _others_cores(machine: Reading) -> float:
    stolen = machine.values.get("steal_percent", 0.0) * machine.values.get("cores", 1.0)
    return (machine.values["others_percent"] + stolen) / 100


def _lost(used_percent: float, waited_percent: float, taken_cores: float) -> float:
    """The share of the time that something wanted a core for which others had it, at the most."""
    lost = min(waited_percent, 100 * taken_cores)
    return lost / (used_percent + lost) if lost > 0 else 0.0
