"""Overrides single values: ``--set phase.steady.duration=30s``.

On the command line an override is text. In Python it is a key and a value, and a string stays one, ``"8080"`` too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from harness.errors import InvalidValue
from harness.messages import Option, alternatives
from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.dsl import BEYOND_INTEGERS, DEEPEST
from harness.plan.problems import Problems, Where
from harness.plan.toml_values import read_value, setting_text

Override = str | tuple[str, object]
"""``KEY=VALUE``, its value read as TOML or, where it is not TOML (``30s``), as text; or the key and the value."""

_EXAMPLE = Option("set", "phase.steady.duration=30s")
_INSTEAD_OF = {"users": "rate", "rate": "users", "url": "command", "command": "url"}
"""Keys that exclude one another: to set one is to drop the other."""


def apply_override(
    override: Override, source: ConfigSource, phase_names: list[str], top_keys: list[str], problems: Problems
) -> None:
    """Change the one value that ``override`` names. Where it names nothing, that goes to ``problems``.

    A phase or fault is named by its name or its number, a gate by its number, from 0. An unknown last key is left for
    the check of the whole, which knows what fits.
    """
    value: object
    location: Where
    if isinstance(override, str):
        location = Option("set", override)
        key, sign, text = override.partition("=")
        stated, value = bool(sign), read_value(text)
    else:
        location, (key, value) = f"set[{override[0]!r}]", override
        stated = isinstance(key, str) and "=" not in key
        try:
            value = _as_toml_has_it(value)
        except InvalidValue as error:
            problems.add_invalid(error, where=location)
            return
    parts = [part.strip() for part in str(key).split(".")]
    if not stated or not all(parts):
        problems.add("override-not-key-value", where=location, example=_EXAMPLE)
        return
    if parts[0] not in top_keys:
        problems.add("unknown-key", where=location, word=parts[0], alternatives=alternatives(parts[0], top_keys))
        return
    if parts[0] in ("phase", "gate", "fault"):
        _override_element(parts, value, source, phase_names, location, problems)
    else:
        _put(source, (parts[0],), parts[1:], value, location, problems)


def as_text(override: Override) -> str:
    """The override as ``KEY=VALUE``, with the same effect: for ``plan.json``, and to type."""
    return override if isinstance(override, str) else setting_text(override[0], _as_toml_has_it(override[1]))


def _override_element(
    parts: list[str], value: object, source: ConfigSource, phase_names: list[str], location: Where, problems: Problems
) -> None:
    kind = parts[0]
    elements = source.data.get(kind, [])
    names = phase_names if kind == "phase" else []
    if kind == "fault":
        names = [str(table.get("name", table.get("kind"))) for table in elements]
    numbers = [str(number) for number in range(len(elements))]
    if len(parts) < 3:
        problems.add(
            "override-of-whole-table", where=location, example=Option("set", f"{kind}.{(names or ['0'])[0]}.KEY=VALUE")
        )
        return
    if parts[1] in names:
        index = names.index(parts[1])
    elif parts[1] in numbers:
        index = int(parts[1])
    else:
        problems.add(
            "override-unknown-element",
            where=location,
            kind=kind,
            name=parts[1],
            alternatives=alternatives(parts[1], names or numbers),
        )
        return
    _put(source, (kind, index), parts[2:], value, location, problems)


def _put(
    source: ConfigSource, path: KeyPath, rest: list[str], value: object, location: Where, problems: Problems
) -> None:
    full = path + _unspelled(source, path, rest)
    table: Any = source.data
    for key in full[:-1]:
        if isinstance(table, dict):
            below = table.get(key)
            if below is None or below is True:  # ``memory = true`` is a table of defaults
                table[key] = {}
            elif not isinstance(below, dict | list):
                problems.add("override-below-value", where=location, key=key, value=below, example=_EXAMPLE)
                return
        table = table[key]
    table[full[-1]] = value
    if full[-1] in _INSTEAD_OF and (full[:-1] == ("target",) or (len(full) == 3 and full[0] == "phase")):
        table.pop(_INSTEAD_OF[full[-1]], None)
    for known in [known for known in source.locations if known[: len(full)] == full]:
        del source.locations[known]
    source.locations[full] = location


def _unspelled(source: ConfigSource, path: KeyPath, rest: list[str]) -> KeyPath:
    """The profile's word (``duration``) for a scenario's own (``hold``)."""
    for known, spelled in source.spelling.items():
        if known[: len(path)] == path and [spelled] == rest:
            return known[len(path) :]
    return tuple(rest)


def _as_toml_has_it(value: object, depth: int = 0) -> object:
    """A Python value as it would be read from a profile. Raises ``InvalidValue`` where TOML has none like it."""
    if depth > DEEPEST:
        raise InvalidValue("value-nested-too-deeply")
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidValue("value-not-utf8", value=value) from error
        return str.__str__(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral) and abs(int(value)) < BEYOND_INTEGERS:  # also numpy's
        return int(value)
    if isinstance(value, Real) and not isinstance(value, Integral):
        return float(value)
    if isinstance(value, list | tuple):
        return [_as_toml_has_it(item, depth + 1) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {_as_toml_has_it(key): _as_toml_has_it(item, depth + 1) for key, item in value.items()}
    raise InvalidValue("value-not-toml", value=value)
