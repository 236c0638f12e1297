"""Builds Arrow columns from their buffers.

``pa.array`` would build them from any values, but imports pandas first: a third of a second of CPU at the end of every
run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def numbers(values: Sequence[float] | npt.NDArray[Any], dtype: npt.DTypeLike) -> pa.Array:
    """A column of numbers; Arrow's type has the name of numpy's ``dtype``."""
    array = np.ascontiguousarray(values, dtype=dtype)
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), [None, pa.py_buffer(array)])


def texts(values: Sequence[str]) -> pa.Array:
    """A column of type ``string``."""
    encoded = [value.encode() for value in values]
    buffers = [None, pa.py_buffer(_ends(encoded)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def counts(values: Sequence[dict[str, int]]) -> pa.Array:
    """A column of type ``map``: texts and how many there are of each."""
    keys = texts([key for value in values for key in value])
    items = numbers([count for value in values for count in value.values()], np.int64)
    return pa.MapArray.from_arrays(numbers(_ends(values), np.int32), keys, items)


def _ends(values: Sequence[Any]) -> npt.NDArray[np.int32]:
    """Where the first begins, then where each ends."""
    return np.cumsum([0, *map(len, values)]).astype(np.int32)
