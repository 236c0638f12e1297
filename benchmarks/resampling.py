"""What resampled duets and nights share: simulated effects, and recordings only in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.plan.model.run import RunPlan
from harness.record.histogram import LAST_BUCKET, buckets_of, highest_of, lowest_of
from harness.record.journal import Journal
from harness.record.journal_entries import Endpoint, PhaseSpan, Second
from harness.record.measurement import ONLY
from harness.record.profiles import ProfileIndex
from harness.record.resources import Reading
from harness.record.run_folder import RunFolder
from harness.record.second_table import KINDS, SIZES, SUMS_US, SecondTable
from harness.recording.run import RunRecording
from harness.recording.streams import PROFILES, REQUESTS, RESOURCES

DAY_S = 86_400.0
_EPOCH_S = 1_767_225_600.0


@dataclass(frozen=True, slots=True)
class Effect:
    """By how much a build is slower, as factors: its CPU time per request, and the response times of one endpoint."""

    cpu: float = 1.0
    times: float = 1.0
    endpoint: str = ""

    def on(self, table: SecondTable, names: Sequence[str]) -> SecondTable:
        """A table with the response times of the endpoint multiplied; the table's endpoint ``i`` is ``names[i]``."""
        if self.times == 1.0:
            return table
        slower = np.array([names[number] == self.endpoint for number in table.endpoint.tolist()], dtype=np.bool_)
        rows = table.rows.copy()
        rows[slower, SUMS_US:SIZES] = np.rint(rows[slower, SUMS_US:SIZES] * self.times)
        buckets = table.buckets.astype(np.int64)
        which = np.repeat(slower, table.sizes.sum(axis=1))
        middles = (lowest_of(buckets[which]) + highest_of(buckets[which])) / 2
        buckets[which] = buckets_of(np.rint(middles * self.times).astype(np.int64))
        # Two buckets may have become one.
        histograms = np.repeat(np.arange(KINDS * len(rows)), table.sizes.ravel())
        keys, at = np.unique(histograms * (LAST_BUCKET + 1) + buckets, return_inverse=True)
        counts = np.bincount(at, weights=table.counts, minlength=len(keys)).astype(np.int64)
        rows[:, SIZES:] = np.bincount(keys // (LAST_BUCKET + 1), minlength=KINDS * len(rows)).reshape(-1, KINDS)
        return SecondTable(rows, keys % (LAST_BUCKET + 1), counts)


def in_memory(
    folder: RunFolder,
    plan: RunPlan,
    endpoints: Sequence[Endpoint],
    span: PhaseSpan,
    seconds: Iterable[Second],
    readings: Sequence[Reading],
    *,
    day: int = 0,
) -> RunRecording:
    """A recording of one phase that was never written; ``readings`` count from the start of the run."""
    epoch_s = _EPOCH_S + DAY_S * day
    journal = Journal(
        run_id=folder.run_id,
        epoch_s=epoch_s,
        endpoints=dict(enumerate(endpoints)),
        phases=[span],
        seconds=list(seconds),
        end_s=span.end_s,
        end_reason="done",
    )
    run = RunRecording(folder, plan)
    run.once(REQUESTS.name, lambda: journal)
    run.once(RESOURCES.name, lambda: [Reading(epoch_s + each.epoch_s, each.source, each.values) for each in readings])
    run.once(PROFILES.name, ProfileIndex)
    return run


def endpoint_of(name: str, variant: str = ONLY) -> Endpoint:
    """The endpoint that is shown as ``name``."""
    method, path = name.split(" ", 1)
    return Endpoint(method, path, variant)


def stretches(rng: np.random.Generator, available: int, wanted: int, length: int) -> list[int]:
    """``wanted`` numbers below ``available``, in stretches of at most ``length`` that follow each other."""
    length = min(length, max(1, available // 2))
    found: list[int] = []
    while len(found) < wanted:
        first = int(rng.integers(0, available - length + 1))
        found += range(first, first + length)
    return found[:wanted]
