"""Makes new nightly runs from recorded ones, and judges each against a window of the store.

A new night draws one recorded run, which is one start of the target, and from it stretches of seconds that followed
each other, with their readings and the state of the load workers.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.resampling import Effect, endpoint_of, in_memory, stretches
from benchmarks.verdict_recordings import PHASE
from harness.analysis.measurement import measure
from harness.gates.judge import judge
from harness.plan.model.run import Gate, RunPlan
from harness.record.journal_entries import PhaseSpan, Second
from harness.record.resources import Reading
from harness.record.run_folder import RunFolder, write_json
from harness.record.second_table import ENDPOINT, SECOND, SEGMENT
from harness.record.second_table import PHASE as PHASE_COLUMN
from harness.record.summary import Summary
from harness.recording.run import RunRecording
from harness.store import RunEntry, Store, open_store

WINDOW = 10
_STRETCH_S = 10
_FINGERPRINT = "benchmark"


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRun:
    """The whole seconds of a run's phase, with the readings in each, which count from its beginning."""

    plan: RunPlan
    names: list[str]
    seconds: list[tuple[Second, list[Reading]]]

    @classmethod
    def of(cls, run: RunRecording) -> RecordedRun:
        record = next(record for record in run.phases if record.plan.name == PHASE)
        names = sorted({str(endpoint) for endpoint in run.journal.endpoints.values()})
        found = []
        for second in run.journal.seconds:
            number = second.second
            if not record.start_s <= number < math.floor(record.start_s + record.load_s):
                continue
            table = record.table.of(np.flatnonzero(record.table.second == number))
            table.rows[:, [SECOND, SEGMENT, PHASE_COLUMN]] = 0
            table.rows[:, ENDPOINT] = [names.index(str(run.journal.endpoints[at])) for at in table.endpoint.tolist()]
            begin_s = run.journal.epoch_s + number
            readings = [
                Reading(each.epoch_s - begin_s, each.source, each.values)
                for each in run.readings
                if begin_s <= each.epoch_s < begin_s + 1
            ]
            found.append((replace(second, table=table, lateness=[]), readings))
        return cls(run.plan, names, found)

    def slower(self, effect: Effect) -> RecordedRun:
        """The same with a slower target."""
        seconds = [
            (replace(second, table=effect.on(second.table, self.names)), [_slower(each, effect) for each in readings])
            for second, readings in self.seconds
        ]
        return replace(self, seconds=seconds)

    def night(
        self, rng: np.random.Generator, folder: RunFolder, gates: Sequence[Gate], length_s: int, day: int
    ) -> RunRecording:
        """A new run of this many seconds."""
        seconds: list[Second] = []
        readings: list[Reading] = []
        for number, at in enumerate(stretches(rng, len(self.seconds), length_s, _STRETCH_S)):
            second, of_it = self.seconds[at]
            rows = second.table.rows.copy()
            rows[:, SECOND] = number
            seconds.append(replace(second, second=number, table=replace(second.table, rows=rows)))
            readings += [Reading(number + each.epoch_s, each.source, each.values) for each in of_it]
        phase = next(phase for phase in self.plan.phases if phase.name == PHASE)
        segment = phase.segments[0].model_copy(update={"duration_s": float(length_s)})
        phase = phase.model_copy(update={"segments": (segment,)})
        plan = self.plan.model_copy(update={"phases": (phase,), "gates": tuple(gates)})
        endpoints = [endpoint_of(name) for name in self.names]
        span = PhaseSpan(0, 0.0, float(length_s), "done", None, (0.0,))
        return in_memory(folder, plan, endpoints, span, seconds, readings, day=day)


def _slower(reading: Reading, effect: Effect) -> Reading:
    if reading.source != "target" or "cpu_percent" not in reading.values:
        return reading
    values = {**reading.values, "cpu_percent": reading.values["cpu_percent"] * effect.cpu}
    return replace(reading, values=values)


class Nights:
    """A series of nights: each is compared with the window of those before it, as ``harness run`` does."""

    def __init__(
        self, recorded: Sequence[RecordedRun], gates: Sequence[Gate], length_s: int, store: Store, folder: Path
    ) -> None:
        self._recorded, self._gates, self._length_s = recorded, gates, length_s
        self._store, self._folder = store, folder
        self._day = 0

    def next(self, rng: np.random.Generator, slower: Sequence[Sequence[RecordedRun]] = ()) -> list[Summary]:
        """Judge the next night, and nights of ``slower`` builds in its place. Only the first joins the window.

        The nights that fill the window have no gates: all of them join it.
        """
        found = []
        gates = self._gates if self._day >= WINDOW else ()
        for number, recorded in enumerate((self._recorded, *slower)):
            source = recorded[int(rng.integers(len(recorded)))]
            folder = RunFolder.create(self._folder, f"night-{self._day:04}-{number}")
            run = source.night(rng, folder, gates, self._length_s, self._day)
            baseline = self._store.baseline_for(*run.plan.key, _FINGERPRINT)
            if baseline is not None:
                write_json(folder.comparison, baseline.model_dump(by_alias=True))
            summary = judge(run)
            if number == 0:
                entry = RunEntry(summary, _FINGERPRINT, folder.path, measurement=measure(run))
            found.append(summary)
            shutil.rmtree(folder.path)
        self._store.record_run(entry)
        if self._day == 0:
            self._store.set_window(entry, WINDOW)
        self._day += 1
        return found


@contextmanager
def nights(recorded: Sequence[RecordedRun], gates: Sequence[Gate], length_s: int) -> Iterator[Nights]:
    """A series in a separate store."""
    with tempfile.TemporaryDirectory(prefix="verdicts-") as folder, open_store(None, Path(folder)) as store:
        yield Nights(recorded, gates, length_s, store, Path(folder))
