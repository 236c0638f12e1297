"""Columns of a table as Arrow has them, made of their buffers.

``pa.array``, which would make them of any values, imports pandas to ask whether they are pandas': a third of a second
of CPU at the end of every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def numbers(values: Sequence[float] | npt.NDArray[Any], dtype: npt.DTypeLike) -> pa.Array:
    """Of numpy's type ``dtype``, which Arrow calls the same."""
    array = np.ascontiguousarray(values, dtype=dtype)
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), [None, pa.py_buffer(array)])


def texts(values: Sequence[str]) -> pa.Array:
    """Of type ``string``."""
    encoded = [value.encode() for value in values]
    buffers = [None, pa.py_buffer(_ends(encoded)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def lists(values: Sequence[npt.NDArray[Any]], dtype: npt.DTypeLike) -> pa.Array:
    """Of type ``list`` of numbers."""
    items = numbers(np.concatenate(values) if values else [], dtype)
    return pa.ListArray.from_arrays(numbers(_ends(values), np.int32), items)


def counts(values: Sequence[dict[str, int]]) -> pa.Array:
    """Of type ``map``: texts and how many of each."""
    keys = texts([key for value in values for key in value])
    items = numbers([count for value in values for count in value.values()], np.int64)
    return pa.MapArray.from_arrays(numbers(_ends(values), np.int32), keys, items)


def _ends(values: Sequence[Any]) -> npt.NDArray[np.int32]:
    """Where each ends, and before all the first's begin."""
    return np.cumsum([0, *map(len, values)]).astype(np.int32)
