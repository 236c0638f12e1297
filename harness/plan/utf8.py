"""Rejects a plan with text that is not UTF-8, which files and messages cannot hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from harness.errors import HarnessError
from harness.record.plain_text import is_utf8

Plan = TypeVar("Plan", bound=BaseModel)


def require_utf8(plan: Plan) -> Plan:
    """``plan`` itself. Raises :class:`HarnessError` for the first text of it that is not UTF-8, with its key."""
    try:
        plan.model_dump_json()
    except PydanticSerializationError as error:
        for key, text in _texts(plan.model_dump(), ()):
            if not is_utf8(text):
                raise HarnessError("text-not-utf8", where=".".join(key), text=text) from error
        raise
    return plan


def _texts(value: object, key: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from _texts(below, (*key, str(name)))
    elif isinstance(value, list | tuple):
        for index, below in enumerate(value):
            yield from _texts(below, (*key, str(index)))
