"""The recording of a run under load, with its requests sorted by phase and variant."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from harness.errors import HarnessError
from harness.messages import message
from harness.metrics import RUN_METRICS
from harness.metrics.metric import Metric
from harness.plan.duet import has_whole_turns
from harness.plan.model.phase import EVERY, Phase
from harness.plan.model.run import RunPlan
from harness.plan.search import as_ran
from harness.record.endpoint_second import EndpointSecond
from harness.record.journal import Journal
from harness.record.journal_entries import PhaseSpan, Second, WorkerSecond
from harness.record.measurement import ONLY, phase_title
from harness.record.profiles import ProfileIndex
from harness.record.resources import Reading
from harness.record.run_folder import RunFolder, read_model
from harness.record.second_accumulator import SecondAccumulator
from harness.record.second_table import SecondTable
from harness.recording.recording import Recording
from harness.recording.streams import PROFILES, REQUESTS, RESOURCES

_ROWS_AT_ONCE = 1 << 12


class Workers(NamedTuple):
    """The load workers of one build of a duet."""

    plan: RunPlan
    variant: str

    @property
    def starts(self) -> int:
        return len(self._own)

    @property
    def _own(self) -> list[int]:
        return [number for number, target in enumerate(self.plan.targets) if target.name == self.variant]

    def states_in(self, second: Second) -> list[WorkerSecond]:
        return [state for state in second.workers if self.plan.target_of(state.worker) in self._own]


@dataclass(frozen=True, eq=False)
class PhaseRecord:
    """One phase of one variant. A run that was killed ends every phase that had begun: ``end_s`` is always known."""

    plan: Phase
    span: PhaseSpan
    end_s: float
    table: SecondTable
    """The requests that it started, by the second of the run in which they ended."""
    variant: str = ONLY
    turns: tuple[bool, ...] = ()
    """In a duet, whether each segment is its own turn."""
    workers: Workers | None = None
    """In a duet, which load workers put load on it; None: all of them."""
    is_part: bool = False
    """Whether it is one step of a phase: what belongs to it ended while it ran."""

    @cached_property
    def totals(self) -> list[EndpointSecond]:
        """Its requests by segment and endpoint, all seconds added up."""
        sums = SecondAccumulator()
        for rows in np.array_split(np.arange(len(self.table)), len(self.table) // _ROWS_AT_ONCE + 1):
            part = self.table.of(rows)
            sums.add_table(part, part.endpoint)
        return EndpointSecond.all_of(sums.table(0))

    def has_second(self, second: int) -> bool:
        """Whether that second of the run lies in the phase by more than half."""
        return self.start_s <= second + 0.5 < self.end_s

    def seconds(self, journal: Journal, left_out: Container[int] = ()) -> list[Second]:
        """The seconds of the run that the phase has, without those ``left_out``."""
        return [each for each in journal.seconds if self.has_second(each.second) and each.second not in left_out]

    def states_in(self, second: Second) -> list[WorkerSecond]:
        """The states of its load workers in that second."""
        return second.workers if self.workers is None else self.workers.states_in(second)

    def users_in(self, second: Second) -> float:
        """How many users each start of its target had in that second."""
        if self.workers is None:
            return second.users
        return sum(state.users for state in self.states_in(second)) / self.workers.starts

    @property
    def index(self) -> int:
        return self.span.phase

    @property
    def title(self) -> str:
        return phase_title(self.plan.name, self.variant)

    @property
    def start_s(self) -> float:
        return self.span.start_s

    @property
    def length_s(self) -> float:
        return max(self.end_s - self.start_s, 0.0)

    @property
    def load_s(self) -> float:
        """How long the phase put load on: its end may come later, when its last requests have shown how it went."""
        load_s = min(self.length_s, self.plan.duration_s or self.length_s)
        return load_s * sum(self.turns) / len(self.turns) if self.turns else load_s


@dataclass(frozen=True, eq=False)
class RunRecording(Recording):
    """A run under load."""

    plan: RunPlan

    @classmethod
    def of_journal(cls, folder: RunFolder, plan: RunPlan, journal: Journal) -> Self:
        """The recording of a run that goes on, as far as ``journal`` has been read."""
        run = cls(folder, plan)
        vars(run)["journal"] = journal  # in place of the cached property, which reads all of it again
        return run

    @property
    def run_id(self) -> str:
        return self.journal.run_id

    @property
    def started_at(self) -> str:
        return datetime.fromtimestamp(self.journal.epoch_s, UTC).isoformat().replace("+00:00", "Z")

    @property
    def metrics(self) -> Mapping[str, Metric[Any]]:
        return RUN_METRICS

    def shown(self, endpoint: str) -> str | None:
        return endpoint or None

    @cached_property
    def journal(self) -> Journal:
        return self.read(REQUESTS)

    @cached_property
    def readings(self) -> list[Reading]:
        return self.read(RESOURCES)

    @cached_property
    def profiles(self) -> ProfileIndex:
        index = self.read(PROFILES)
        for profile in index.profiles:
            if profile.phase >= len(self.plan.phases):
                raise HarnessError(
                    "profile-unknown-phase",
                    where=str(self.folder.profiles),
                    phase=profile.phase,
                    planned=len(self.plan.phases),
                )
        return index

    @cached_property
    def phases(self) -> list[PhaseRecord]:
        """The phases that began, in order, of each variant."""
        return phase_records(self.plan, self.journal)

    @property
    def table_metadata(self) -> dict[str, str]:
        return {**super().table_metadata, "epoch_s": repr(self.journal.epoch_s)}


def phase_records(plan: RunPlan, journal: Journal) -> list[PhaseRecord]:
    """The phases that began, in order, of each variant. Raises :class:`HarnessError` on what is not in the plan."""
    variants = list(dict.fromkeys(variant.name for variant in plan.targets))
    variant_of = np.zeros(max(journal.endpoints, default=0) + 1, dtype=np.int64)
    for number, endpoint in journal.endpoints.items():
        if endpoint.variant not in variants:
            raise HarnessError("journal-unknown-build", build=endpoint.variant)
        variant_of[number] = variants.index(endpoint.variant)
    tables: dict[tuple[int, str], list[SecondTable]] = {}
    for second in journal.seconds:
        keys = second.table.phase * len(variants) + variant_of[second.table.endpoint]
        for key in np.unique(keys).tolist():
            phase, variant = divmod(key, len(variants))
            tables.setdefault((phase, variants[variant]), []).append(second.table.of(np.flatnonzero(keys == key)))
    records = []
    for span in journal.phases:
        if not 0 <= span.phase < len(plan.phases):
            raise HarnessError("journal-unknown-phase", phase=span.phase, planned=len(plan.phases))
        end_s = max(journal.last_s if span.end_s is None else span.end_s, span.start_s)
        phase = as_ran(plan.phases[span.phase], span, end_s)
        for variant in variants:
            table = SecondTable.joined(tables.get((span.phase, variant), []))
            turns = tuple(turn == EVERY or plan.targets[turn].name == variant for turn in phase.turns)
            workers = Workers(plan, variant) if turns else None
            records.append(PhaseRecord(phase, span, end_s, table, variant, turns, workers))
    return records


def read_run(folder: RunFolder) -> RunRecording:
    """Open the folder of a run under load. Raises :class:`HarnessError` if its plan is missing or damaged."""
    plan = read_model(folder.plan, RunPlan)
    if not has_whole_turns(plan):
        raise HarnessError("file-damaged", where=str(folder.plan), problem=message("turns-of-other-targets"))
    return RunRecording(folder, plan)
