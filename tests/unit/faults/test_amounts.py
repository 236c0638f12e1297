"""Sizes, rates and shares as people write them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.errors import InvalidValue
from harness.faults.amounts import Bytes, BytesPerSecond, ShareOrBytes, bytes_of
from harness.quantities import Share


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Bytes, "10KB", 10_000),
        (Bytes, "1.5 MiB", 1_572_864),
        (Bytes, 0, 0),
        (Bytes, "0B", 0),
        (BytesPerSecond, "100KB/s", 100_000.0),
        (BytesPerSecond, 2e6, 2e6),
        (Share, "5%", 0.05),
        (Share, "100 %", 1.0),
        (Share, 0.5, 0.5),
        (ShareOrBytes, "70%", "70%"),
        (ShareOrBytes, "2GiB", "2GiB"),
        (ShareOrBytes, 4096, "4096B"),
    ],
)
def test_amounts_are_read(kind: Any, text: object, value: object) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    read = adapter.validate_python(text)
    assert read == value
    assert adapter.validate_python(read) == value  # as another process does


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        (Bytes, "10", "bytes-invalid"),
        (Bytes, "10KB/s", "bytes-invalid"),
        (Bytes, "-1KB", "bytes-invalid"),
        (Bytes, -1, "bytes-invalid"),
        (Bytes, True, "bytes-invalid"),
        (Bytes, "ten KB", "bytes-invalid"),
        (Bytes, math.inf, "bytes-invalid"),
        (Bytes, 10**400, "bytes-invalid"),
        (Bytes, f"{10**400}KB", "bytes-invalid"),
        (BytesPerSecond, math.nan, "byte-rate-invalid"),
        (Share, 10**400, "share-invalid"),
        (ShareOrBytes, math.inf, "bytes-invalid"),
        (BytesPerSecond, "100KB", "byte-rate-invalid"),
        (BytesPerSecond, "0KB/s", "byte-rate-invalid"),
        (BytesPerSecond, 0, "byte-rate-invalid"),
        (Share, "0%", "share-invalid"),
        (Share, "101%", "share-invalid"),
        (Share, "half", "share-invalid"),
        (Share, 5, "share-invalid"),
        (Share, True, "share-invalid"),
        (ShareOrBytes, "0%", "share-invalid"),
        (ShareOrBytes, "0MB", "bytes-invalid"),
        (ShareOrBytes, "much", "bytes-invalid"),
    ],
)
def test_what_means_nothing_is_refused(kind: Any, text: object, code: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(text)
    (error,) = refused.value.errors()
    cause = error["ctx"]["error"]
    assert isinstance(cause, InvalidValue)
    assert cause.code == code


def test_a_share_is_of_what_there_is() -> None:
    assert bytes_of("25%", 1000) == 250
    assert bytes_of("10KB", 1000) == 10_000
