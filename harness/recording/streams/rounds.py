"""The rounds of a benchmark suite, in ``rounds.parquet``, and pytest-benchmark's own file beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError
from harness.record.run_folder import RunFolder, not_of_the_format, read_model, regular_file
from harness.record.suite import Benchmark, Rounds, SuiteReport
from harness.recording.stream import Stream


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
    lengths = [len(seconds) for seconds in rounds.values()]
    names = pyarrow.DictionaryArray.from_arrays(
        np.repeat(np.arange(len(rounds), dtype=np.int32), lengths), pyarrow.array(list(rounds), pyarrow.string())
    )
    seconds = np.concatenate([np.array(values, dtype=np.float64) for values in rounds.values()] or [np.zeros(0)])
    pyarrow.parquet.write_table(pyarrow.table({"benchmark": names, "seconds": seconds}), path, compression="zstd")


def read_benchmarks(index: Path, table: Path, report: SuiteReport) -> list[Benchmark]:
    """The benchmarks of ``benchmark.json`` with their rounds from ``rounds.parquet``.

    Empty if pytest-benchmark wrote none. Raises :class:`HarnessError` if one of the two is damaged or missing.
    """
    if not index.exists() or not regular_file(index).stat().st_size:
        return []
    try:
        # Not read_json: rates of functions too fast for the clock are Infinity there.
        entries = _File.model_validate(json.loads(index.read_bytes())).benchmarks
    except ValidationError as error:
        raise not_of_the_format(index, error) from error
    except ValueError as error:
        raise HarnessError("invalid-json", where=str(index), error=error) from error
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
    try:
        table = pyarrow.parquet.read_table(regular_file(path))
        tests = table["benchmark"].combine_chunks()
        seconds = table["seconds"].to_numpy()
    except FileNotFoundError as error:
        raise HarnessError("file-missing", where=str(path)) from error
    except (pyarrow.ArrowException, KeyError, OSError) as error:
        raise HarnessError("rounds-unreadable", where=str(path), error=error) from error
    indexes = tests.indices.to_numpy()
    return {test: seconds[indexes == index] for index, test in enumerate(tests.dictionary.to_pylist())}


def read_report(folder: RunFolder) -> SuiteReport:
    """What pytest reported of the suite; empty if it died before it could."""
    return read_model(folder.suite, SuiteReport) if folder.suite.exists() else SuiteReport()


ROUNDS = Stream(
    name="rounds",
    files=("benchmark.json",),
    read=lambda folder: read_benchmarks(folder.benchmarks, folder.rounds, read_report(folder)),
    artifacts={"benchmarks": "benchmark.json", "rounds": "rounds.parquet"},
)
