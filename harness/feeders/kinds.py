"""The kinds of files that a feeder reads. To add one, write a file here and list it in :data:`KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.feeders.csv_rows import read_csv
from harness.feeders.json_lines import read_json_lines
from harness.feeders.parquet import read_parquet

KINDS: Mapping[str, Callable[[Path], Iterator[Any]]] = {
    ".csv": read_csv,
    ".tsv": partial(read_csv, delimiter="\t"),
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
}
"""By the ending of the file's name: what reads its rows."""


def read_rows(path: Path, where: str) -> Iterator[Any]:
    """The rows of a file, which a feeder at ``where`` (``scenario.py:12``) names.

    Raises :class:`HarnessError`, also while the rows are read.
    """
    read = KINDS.get(path.suffix.lower())
    if read is None:
        raise HarnessError("feeder-kind-unknown", where=where, path=path, known=list(KINDS))
    try:
        if not path.exists():
            raise HarnessError("feeder-file-missing", where=where, path=path)
        if not path.is_file():
            raise HarnessError("feeder-not-a-file", where=where, path=path)
        yield from read(path)
    except OSError as error:
        raise HarnessError("feeder-file-unreadable", where=where, path=path, error=error.strerror or error) from error
