"""When others took the cores, and how much time the target or a load worker lost to them.

What others are, and why both conditions are needed: :mod:`harness.analysis.contamination`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.record.journal_entries import WorkerSecond
from harness.record.resources import Reading
from harness.recording.run import RunRecording

TAKEN = 0.2
"""Cores."""
LOST = 0.1


@dataclass(frozen=True, slots=True)
class ReadingInterval:
    """From one reading to the next, in seconds of the run."""

    begin_s: float
    end_s: float
    others_cores: float
    lost: float
    """The largest share of the time for which the target or a load worker wanted a core that it lost to others."""

    @property
    def contaminated(self) -> bool:
        return self.others_cores > TAKEN and self.lost > LOST


def contaminated_intervals(run: RunRecording) -> list[ReadingInterval]:
    """The times between two readings in which others took the cores. Computed once."""

    def compute() -> list[ReadingInterval]:
        workers = {second.second: second.workers for second in run.journal.seconds}
        found = intervals_of(run.readings, run.journal.epoch_s, workers)
        return [interval for interval in found if interval.contaminated]

    return run.once("contaminated intervals", compute)


def lost_to_others(run: RunRecording, begin_s: float, end_s: float) -> float:
    """How many seconds of a time the target, or a load worker, lost to others, at most."""
    spans = ((min(each.end_s, end_s) - max(each.begin_s, begin_s), each.lost) for each in contaminated_intervals(run))
    return sum(length_s * lost for length_s, lost in spans if length_s > 0)


def intervals_of(
    readings: Sequence[Reading], epoch_s: float, workers: Mapping[int, Sequence[WorkerSecond]]
) -> list[ReadingInterval]:
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
        found.append(ReadingInterval(begin_s, end_s, taken, max(lost)))
    return found


def _others_cores(machine: Reading) -> float:
    stolen = machine.values.get("steal_percent", 0.0) * machine.values.get("cores", 1.0)
    return (machine.values["others_percent"] + stolen) / 100


def _lost(used_percent: float, waited_percent: float, taken_cores: float) -> float:
    """The share of the time that something wanted a core during which others had it, at most."""
    lost = min(waited_percent, 100 * taken_cores)
    return lost / (used_percent + lost) if lost > 0 else 0.0
