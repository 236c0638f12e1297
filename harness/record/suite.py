"""The files of a bench: pytest-benchmark's own JSON, every round, and what pytest reported.

``benchmark.json`` is as pytest-benchmark writes it, so that its tools (``pytest-benchmark compare``) can read it, but
without the rounds. A fast function has 200,000 of them a second: 9 MB of JSON, some hundred kB in ``rounds.parquet``.
Times are seconds of one call: a round of several iterations is divided by their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from harness.record.benchmark_figures import BenchmarkFigures
from harness.record.run_folder import not_of_the_format, regular_file

Rounds = npt.NDArray[np.float64]
_Kept = TypeVar("_Kept")


class TestProblem(BaseModel):
    """A test that failed or was skipped, or a file that could not be collected, and the reason."""

    __test__ = False  # pytest collects classes named Test…

    test: str
    message: str


class SuiteReport(BaseModel):
    """``suite.json``: the tests that pytest found, and their results. ``finished`` is False if pytest died."""

    finished: bool = False
    benchmarks: list[str] = []
    """The ids of the benchmarks that were chosen to run."""
    deselected: list[str] = []
    unknown: list[str] = []
    """Names in gates that no benchmark has."""
    elsewhere: list[str] = []
    """Names in the project's gates that none of the tests has whose paths were chosen for this run."""
    collect_errors: list[TestProblem] = Field([], validation_alias=AliasChoices("collect_errors", "collect_faults"))
    waited_s: dict[str, float] = {}
    """By test: how long it was ready to run while others had the core, with calibration and warm-up."""
    failed: list[TestProblem] = []
    skipped: list[TestProblem] = []
    running: str | None = None
    """The test that was running when this was written: if pytest died or was interrupted, it did so in this test."""


class SuiteEnd(BaseModel):
    """``suite-end.json``: how pytest ended. ``exit_status`` is negative if a signal ended it."""

    started_at: str
    """ISO 8601, UTC."""
    duration_s: float
    exit_status: int
    interrupted: bool = False


class PastBench(BaseModel):
    """An earlier bench of the suite in the same environment, as the store knows it."""

    run_id: str
    started_at: str
    benchmarks: list[BenchmarkFigures]


class MemoryFigures(BaseModel):
    """The memory of one call of a benchmark's function: most bytes held, number of allocations, bytes allocated."""

    peak_bytes: int
    allocations: int
    allocated_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """One benchmark as it was measured. ``rounds`` are in the order they ran."""

    test: str
    """Its whole id: ``benchmarks/micro/test_shop.py::test_search``."""
    name: str
    group: str | None
    iterations: int
    rounds: Rounds
    waited_s: float = 0.0
    """See :attr:`SuiteReport.waited_s`."""

    @property
    def taken(self) -> float:
        """The share (0…1) of the rounds' time in which others had the core, at most: all waiting may be due to them."""
        rounds_s = float(self.rounds.sum()) * self.iterations
        return min(1.0, self.waited_s / rounds_s) if rounds_s > 0 else 0.0


_HISTORY: TypeAdapter[list[PastBench]] = TypeAdapter(list[PastBench])
_MEMORY: TypeAdapter[dict[str, MemoryFigures]] = TypeAdapter(dict[str, MemoryFigures])


def read_memory(path: Path) -> dict[str, MemoryFigures]:
    """The memory of each benchmark, by its id; empty if it was not traced. Raises :class:`HarnessError`."""
    return _read(path, _MEMORY) if path.exists() else {}


def write_memory(path: Path, figures: dict[str, MemoryFigures]) -> None:
    """Write what :func:`read_memory` reads."""
    path.write_bytes(_MEMORY.dump_json(figures, indent=2))


def read_history(path: Path) -> list[PastBench]:
    """The benches before this one, the earliest first. Raises :class:`HarnessError`."""
    return _read(path, _HISTORY) if path.exists() else []


def write_history(path: Path, benches: list[PastBench]) -> None:
    """Write what :func:`read_history` reads."""
    path.write_bytes(_HISTORY.dump_json(benches, indent=2))


def _read(path: Path, kind: TypeAdapter[_Kept]) -> _Kept:
    try:
        return kind.validate_json(regular_file(path).read_bytes())
    except ValidationError as error:
        raise not_of_the_format(path, error) from error
