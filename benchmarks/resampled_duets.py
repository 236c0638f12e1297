"""Makes new duets from recorded ones.

A new duet draws as many starts of both builds as it needs from all that were recorded, and for each start stretches of
blocks that followed each other. The recorded builds are equal. Which one is called A is drawn for each start, so that
the true change is none whatever luck the starts had (the wild bootstrap: Liu 1988, Annals of Statistics 16(4)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.resampling import Effect, endpoint_of, in_memory, stretches
from benchmarks.verdict_recordings import PHASE
from harness.analysis.samples import turn_of
from harness.analysis.target_usage import usage_of
from harness.metrics.target_usage import TargetUsage
from harness.plan.duet import BLOCK, A, B
from harness.plan.model.phase import Segment
from harness.plan.model.run import Gate, RunPlan
from harness.record.journal_entries import PhaseSpan, Second, WorkerSecond
from harness.record.resources import REFERENCE_WORK, Reading
from harness.record.run_folder import RunFolder
from harness.record.second_table import AFTER, ENDPOINT, SECOND, SEGMENT, SecondTable
from harness.record.second_table import PHASE as PHASE_COLUMN
from harness.recording.run import PhaseRecord, RunRecording

_STRETCH = 5
"""Blocks of one start."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one build did in a block. Seconds and turns count from the block's beginning."""

    table: SecondTable
    """Its endpoints are places in :attr:`RecordedDuet.names`."""
    cpu_s: float
    reference_ms: float
    """How long reference work took in its turns; NaN where that was not recorded."""

    def slower(self, effect: Effect, names: Sequence[str]) -> Side:
        return Side(effect.on(self.table, names), self.cpu_s * effect.cpu, self.reference_ms)


@dataclass(frozen=True, slots=True)
class Block:
    """Four turns of a duet: what A and B did, whether each turn was B's, and the load workers by second."""

    sides: tuple[Side, Side]
    order: tuple[bool, ...]
    workers: dict[int, list[WorkerSecond]]

    def slower(self, effect: Effect, names: Sequence[str]) -> Block:
        a, b = (side.slower(effect, names) for side in self.sides)
        return replace(self, sides=(a, b))


@dataclass(frozen=True, slots=True, eq=False)
class RecordedDuet:
    """A duet cut into blocks, by start."""

    plan: RunPlan
    names: list[str]
    """Of its endpoints."""
    turn_s: float
    offset_s: float
    """By how much its phase begins after a whole second."""
    starts: list[list[Block]]

    @classmethod
    def of(cls, run: RunRecording) -> RecordedDuet:
        records = [_record(run, variant) for variant in (A, B)]
        names = sorted({str(endpoint) for endpoint in run.journal.endpoints.values()})
        count = len(run.plan.targets) // 2
        usages = [usage_of(record, run) for record in records]
        blocks = [_block(run, records, names, number, usages) for number in range(len(usages[0].cpu_s))]
        return cls(
            run.plan,
            names,
            records[0].plan.segments[0].duration_s,
            records[0].start_s % 1,
            [blocks[start::count] for start in range(count)],
        )

    def slower(self, effect: Effect) -> RecordedDuet:
        """The same with both builds slower: a source for the slower build of a new duet."""
        return replace(self, starts=[[block.slower(effect, self.names) for block in start] for start in self.starts])


def _record(run: RunRecording, variant: str) -> PhaseRecord:
    return next(record for record in run.phases if (record.plan.name, record.variant) == (PHASE, variant))


def _block(
    run: RunRecording, records: Sequence[PhaseRecord], names: Sequence[str], number: int, usages: Sequence[TargetUsage]
) -> Block:
    record = records[1]
    block_s = BLOCK * record.plan.segments[0].duration_s
    shift = int(record.start_s) + int(number * block_s)
    sides = [
        Side(_table(run, each, names, number, shift), float(usage.cpu_s[number]), float(usage.reference_ms[number]))
        for each, usage in zip(records, usages, strict=True)
    ]
    seconds = range(shift, shift + max(1, round(block_s)))
    workers = {each.second - shift: each.workers for each in run.journal.seconds if each.second in seconds}
    return Block((sides[0], sides[1]), record.turns[BLOCK * number : BLOCK * (number + 1)], workers)


def _table(run: RunRecording, record: PhaseRecord, names: Sequence[str], number: int, shift: int) -> SecondTable:
    turn = turn_of(record.table, record)
    here = np.flatnonzero((turn // BLOCK == number) & (record.table.segment != AFTER))
    found = record.table.of(here)
    found.rows[:, SECOND] -= shift
    found.rows[:, SEGMENT] = turn[here] % BLOCK
    found.rows[:, ENDPOINT] = [names.index(str(run.journal.endpoints[each])) for each in found.endpoint.tolist()]
    return found


class DuetTrials:
    """New duets of recorded ones, whose builds are equal."""

    def __init__(self, recorded: Sequence[RecordedDuet], *, seconds: float, effect: Effect) -> None:
        """``effect``: what makes the new B slower."""
        self._first = recorded[0]
        self._usual = [start for duet in recorded for start in duet.starts]
        self._slower = [start for duet in recorded for start in duet.slower(effect).starts]
        self._count = len(self._first.starts)
        blocks = round(seconds / (BLOCK * self._first.turn_s))
        self._blocks_each = max(1, blocks // self._count)

    def make(self, rng: np.random.Generator, folder: RunFolder, gates: Sequence[Gate]) -> RunRecording:
        """One new duet."""
        drawn = rng.permutation(len(self._usual))[: self._count].tolist()
        swapped = rng.integers(0, 2, self._count)
        chosen = [stretches(rng, len(self._usual[start]), self._blocks_each, _STRETCH) for start in drawn]
        block_s, names = BLOCK * self._first.turn_s, self._first.names
        turns: list[int] = []
        took_ms: list[float] = []
        tables: list[SecondTable] = []
        workers: dict[int, list[WorkerSecond]] = {}
        cpu_s = np.zeros((2, self._blocks_each * self._count + 1))
        for number in range(self._blocks_each * self._count):
            place = number % self._count
            swap, at, first = int(swapped[place]), chosen[place][number // self._count], int(number * block_s)
            usual, slower = self._usual[drawn[place]][at], self._slower[drawn[place]][at]
            sides = (usual.sides[swap], slower.sides[1 - swap])
            for build, side in enumerate(sides):
                cpu_s[build, number + 1] = side.cpu_s
                moved = SecondTable(side.table.rows.copy(), side.table.buckets, side.table.counts)
                moved.rows[:, SECOND] += first
                moved.rows[:, SEGMENT] += number * BLOCK
                moved.rows[:, ENDPOINT] += build * len(names)
                moved.rows[:, PHASE_COLUMN] = 0
                tables.append(moved)
            turns += [2 * place + (turn != swap) for turn in usual.order]
            took_ms += [usual.sides[turn].reference_ms for turn in usual.order]
            workers |= {first + second: states for second, states in usual.workers.items()}
        return self._recording(folder, gates, turns, SecondTable.joined(tables), workers, cpu_s.cumsum(axis=1), took_ms)

    def _recording(
        self,
        folder: RunFolder,
        gates: Sequence[Gate],
        turns: Sequence[int],
        table: SecondTable,
        workers: dict[int, list[WorkerSecond]],
        used_s: np.ndarray,
        took_ms: Sequence[float],
    ) -> RunRecording:
        plan, first = self._first.plan, self._first
        phase = next(phase for phase in plan.phases if phase.name == PHASE)
        segment = phase.segments[0]
        phase = phase.model_copy(
            update={
                "segments": tuple(
                    Segment(start=segment.start, end=segment.end, duration_s=first.turn_s) for _ in turns
                ),
                "turns": tuple(turns),
            }
        )
        begins_s = first.offset_s + first.turn_s * np.arange(len(turns) + 1)
        span = PhaseSpan(0, float(begins_s[0]), float(begins_s[-1]), "done", None, tuple(begins_s[:-1].tolist()))
        seconds = [
            Second(int(number), 0, workers.get(int(number), []), table.of(np.flatnonzero(table.second == number)), [])
            for number in np.unique(table.second)
        ]
        readings = [
            Reading(float(at_s), f"build {name}", {"cpu_s": float(used)})
            for name, of_build in zip((A, B), used_s, strict=True)
            for at_s, used in zip(begins_s[::BLOCK], of_build, strict=True)
        ]
        readings += [
            Reading(float(at_s), REFERENCE_WORK, {"work_us": 1000 * took})
            for at_s, took in zip(begins_s[1:], took_ms, strict=True)
            if math.isfinite(took)
        ]
        endpoints = [endpoint_of(name, variant) for variant in (A, B) for name in first.names]
        plan = plan.model_copy(update={"phases": (phase,), "gates": tuple(gates)})
        return in_memory(folder, plan, endpoints, span, seconds, readings)
