"""Parquet, batch by batch; values are what pyarrow makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from harness.errors import HarnessError

_AT_ONCE = 10_000


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of the file.

    Raises :class:`HarnessError` if it is none, or has two columns of one name or a value that Python has not.
    """
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            twice = [name for name, count in Counter(file.schema_arrow.names).items() if count > 1]
            if twice:
                raise HarnessError("feeder-column-twice", where=str(path), name=twice[0])
            for batch in file.iter_batches(_AT_ONCE):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:  # texts not in UTF-8, dates after 9999
        raise HarnessError("feeder-parquet-invalid", where=str(path), error=error) from error
