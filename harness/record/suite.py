"""What a run of a benchmark suite leaves: pytest-benchmark's own JSON, every round, and what pytest told.

``benchmark.json`` is as pytest-benchmark writes it, so that its own tools (``pytest-benchmark compare``) read it, but
for the rounds: of fast functions there are 200,000 a second, 9 MB as JSON and some hundred kB in ``rounds.parquet``.
Times are seconds of one call: a round of several iterations is divided by their number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, TypeAdapter, ValidationError

from harness.errors import HarnessError
from harness.record.files import ordinary
from harness.record.run_folder import not_of_the_format
from harness.record.summary import BenchmarkFigures

Rounds = npt.NDArray[np.float64]
_Kept = TypeVar("_Kept")


class TestProblem(BaseModel):
    """A test that failed, was skipped, or a file that could not be collected, and why."""

    __test__ = False  # pytest takes what is called Test… for tests

    test: str
    message: str


class SuiteReport(BaseModel):
    """``suite.json``: what pytest found and what became of it. ``finished`` is False where pytest died on the way."""

    finished: bool = False
    benchmarks: list[str] = []
    """The ids of the benchmarks that were chosen to run."""
    deselected: list[str] = []
    unknown: list[str] = []
    """Names that gates use and no benchmark has."""
    elsewhere: list[str] = []
    """Names that the project's gates use and none of the tests has that were chosen for this run by their path."""
    collect_faults: list[TestProblem] = []
    waited_s: dict[str, float] = {}
    """By test how long it was ready to run and had no core, for others had it; calibration and warm-up included."""
    failed: list[TestProblem] = []
    skipped: list[TestProblem] = []
    running: str | None = None
    """The test that ran when this was written; where pytest died, or was interrupted, the one in which it was."""


class SuiteEnd(BaseModel):
    """``suite-end.json``: how pytest ended. ``exit_status`` is negative where a signal ended it."""

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
    """What one call of a benchmark's function took: bytes held at the most, allocations made, bytes of them all."""

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
        """The share (0…1) of the rounds' time in which others had the core, at the most: all waiting may be theirs."""
        rounds_s = float(self.rounds.sum()) * self.iterations
        return min(1.0, self.waited_s / rounds_s) if rounds_s > 0 else 0.0


class _Stats(BaseModel):
    iterations: int


class _Entry(BaseModel):
    name: str
    fullname: str
    group: str | None = None
    stats: _Stats


class _File(BaseModel):
    benchmarks: list[_Entry] = []


def write_rounds(path: Path, rounds: Mapping[str, Sequence[float]]) -> None:
    """Write each benchmark's rounds, by its id, as a table of the columns ``benchmark`` and ``seconds``."""
    import pyarrow
    import pyarrow.parquet

    lengths = [len(seconds) for seconds in rounds.values()]
    names = pyarrow.DictionaryArray.from_arrays(
        np.repeat(np.arange(len(rounds), dtype=np.int32), lengths), pyarrow.array(list(rounds), pyarrow.string())
    )
    seconds = np.concatenate([np.array(values, dtype=np.float64) for values in rounds.values()] or [np.zeros(0)])
    pyarrow.parquet.write_table(pyarrow.table({"benchmark": names, "seconds": seconds}), path, compression="zstd")


def read_benchmarks(index: Path, table: Path, report: SuiteReport) -> list[Benchmark]:
    """The benchmarks of ``benchmark.json`` with their rounds from ``rounds.parquet``.

    None where pytest-benchmark wrote none. Raises :class:`HarnessError` where one of the two is damaged or missing.
    """
    if not index.exists() or not ordinary(index).stat().st_size:
        return []
    try:
        # Not read_json: rates of functions too fast for the clock are Infinity there.
        entries = _File.model_validate(json.loads(index.read_bytes())).benchmarks
    except ValidationError as fault:
        raise not_of_the_format(index, fault) from fault
    except ValueError as fault:
        raise HarnessError(f"not valid JSON: {fault}", where=str(index)) from fault
    rounds = _read_rounds(table)
    return [
        Benchmark(
            entry.fullname,
            entry.name,
            entry.group,
            entry.stats.iterations,
            rounds[entry.fullname],
            report.waited_s.get(entry.fullname, 0.0),
        )
        for entry in entries
        if entry.fullname in rounds
    ]


def _read_rounds(path: Path) -> dict[str, Rounds]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(ordinary(path))
        tests = table["benchmark"].combine_chunks()
        seconds = table["seconds"].to_numpy()
    except FileNotFoundError as fault:
        raise HarnessError("the file is missing from the run folder", where=str(path)) from fault
    except (pyarrow.ArrowException, KeyError, OSError) as fault:
        raise HarnessError(f"the rounds cannot be read: {fault}", where=str(path)) from fault
    places = tests.indices.to_numpy()
    return {test: seconds[places == place] for place, test in enumerate(tests.dictionary.to_pylist())}


_HISTORY: TypeAdapter[list[PastBench]] = TypeAdapter(list[PastBench])
_MEMORY: TypeAdapter[dict[str, MemoryFigures]] = TypeAdapter(dict[str, MemoryFigures])


def read_memory(path: Path) -> dict[str, MemoryFigures]:
    """What memray saw of each benchmark, by its id; nothing where it was not asked. Raises :class:`HarnessError`."""
    return _read(path, _MEMORY) if path.exists() else {}


def write_memory(path: Path, figures: dict[str, MemoryFigures]) -> None:
    """Write what :func:`read_memory` reads."""
    path.write_bytes(_MEMORY.dump_json(figures, indent=2))


def read_history(path: Path) -> list[PastBench]:
    """The benches before this one, the earliest first; none where none is known. Raises :class:`HarnessError`."""
    return _read(path, _HISTORY) if path.exists() else []


def write_history(path: Path, benches: list[PastBench]) -> None:
    """Write what :func:`read_history` reads."""
    path.write_bytes(_HISTORY.dump_json(benches, indent=2))


def _read(path: Path, kind: TypeAdapter[_Kept]) -> _Kept:
    try:
        return kind.validate_json(ordinary(path).read_bytes())
    except ValidationError as fault:
        raise not_of_the_format(path, fault) from fault
