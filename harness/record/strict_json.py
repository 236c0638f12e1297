"""JSON as standardized: without ``NaN``, ``Infinity`` and numbers that overflow a float."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, Never


def parse_json(text: str | bytes) -> Any:
    """The value of a text. Raises ``ValueError``, and ``RecursionError`` if it is nested too deep."""
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


class KeyTwice(ValueError):  # noqa: N818  (as in KeyError)
    """An object of JSON has the same key twice: of the two values, readers drop one."""

    def __init__(self, place: str, key: str) -> None:
        super().__init__(f"the key {key!r} is there twice")
        self.place = place
        """Of the object: ``paths./items.get``."""
        self.key = key


def parse_json_once(text: str | bytes) -> Any:
    """As :func:`parse_json`. Raises :class:`KeyTwice` if an object has a key twice."""
    twice: list[tuple[dict[str, Any], str]] = []

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.append((found, next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)))
        return found

    value = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=made)
    if twice:
        found, key = twice[-1]  # the outermost: it is still in the value
        raise KeyTwice(_place(value, found), key)
    return value


def _place(within: Any, wanted: Any) -> str:
    waiting: list[tuple[tuple[str, ...], Any]] = [((), within)]
    while waiting:
        path, value = waiting.pop()
        if value is wanted:
            return ".".join(path)
        below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [((*path, str(key)), each) for key, each in below]
    return ""


def _no_number(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value
