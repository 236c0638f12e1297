"""A run folder opened as one typed thing: the plan, the environment, the baseline, and the streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import pyarrow.parquet

from harness.messages import Message
from harness.metrics.metric import Metric
from harness.plan.bench import BenchPlan
from harness.plan.model.run import RunPlan
from harness.record.environment import Environment
from harness.record.history import StepHistory
from harness.record.measurement import Baseline
from harness.record.profiles import ProfileIndex
from harness.record.run_folder import RunFolder, read_model
from harness.recording.stream import Stream
from harness.recording.streams import PROFILES, STREAMS

Data = TypeVar("Data")


@dataclass(frozen=True, eq=False)
class Recording(ABC):
    """What a run left in its folder. Each stream is read once, when it is first asked for.

    Reading raises :class:`HarnessError` if a file is missing or damaged.
    """

    folder: RunFolder
    plan: RunPlan | BenchPlan
    no_baseline: Message | None = None
    """Why there is no baseline, if a search for one has found out."""
    _data: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    @abstractmethod
    def run_id(self) -> str:
        """Its run ID, even if its folder was renamed."""

    @property
    @abstractmethod
    def started_at(self) -> str:
        """When it started: ISO 8601, UTC."""

    @property
    @abstractmethod
    def metrics(self) -> Mapping[str, Metric[Any]]:
        """What is measured of it."""

    @abstractmethod
    def shown(self, endpoint: str) -> str | None:
        """The name of an endpoint or benchmark; None for all endpoints together."""

    def read(self, stream: Stream[Data]) -> Data:
        """What was recorded of ``stream``."""
        return self.once(stream.name, lambda: stream.read(self.folder))

    def once(self, name: str, make: Callable[[], Data]) -> Data:
        """What ``make`` returns, computed with the first call for ``name`` only."""
        if name not in self._data:
            self._data[name] = make()
        data: Data = self._data[name]
        return data

    @cached_property
    def profiles(self) -> ProfileIndex:
        return self.read(PROFILES)

    @cached_property
    def environment(self) -> Environment | None:
        """The machine it ran on; None if that was not recorded."""
        path = self.folder.environment
        return read_model(path, Environment) if path.exists() else None

    @cached_property
    def baseline(self) -> Baseline | None:
        """What it was compared with; None if it was compared with nothing."""
        path = self.folder.comparison
        return read_model(path, Baseline) if path.exists() else None

    @cached_property
    def past_runs(self) -> StepHistory | None:
        """What gates on steps read: their figures over the runs until this one; None if it has no such gate."""
        path = self.folder.past_runs
        return read_model(path, StepHistory) if path.exists() else None

    def write_tables(self) -> None:
        """Export every stream that was recorded as its table, into the run folder."""
        for stream in STREAMS:
            if stream.table and stream.recorded_in(self.folder):
                table = stream.table.of(self).replace_schema_metadata(self.table_metadata)
                pyarrow.parquet.write_table(table, self.folder.path / stream.table.file, compression="zstd")

    @property
    def table_metadata(self) -> dict[str, str]:
        """What every table says of the run."""
        return {"harness_schema": "1", "run_id": self.run_id}
