"""``--set phase.steady.duration=30s``: one value of what was written, changed."""

from __future__ import annotations

import tomllib
from typing import Any

from harness.plan.faults import Faults, quoted, suggestion
from harness.plan.written import KeyPath, Written

_HINT = "write KEY=VALUE, such as --set phase.steady.duration=30s"
_OTHER_GOAL = {"users": "rate", "rate": "users"}


def apply_override(text: str, written: Written, phase_names: list[str], top_keys: list[str], faults: Faults) -> None:
    """Change the one value that ``text``, ``KEY=VALUE``, names. What names nothing is told to ``faults``.

    A phase is named by its name or its number, a gate by its number, from 0. The value is read as TOML, and as a text
    where it is not TOML (``30s``). An unknown last key is left for the check of the whole, which knows what fits.
    """
    place = f"--set {text}"
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        faults.add("is not KEY=VALUE", where=place, hint=_HINT)
        return
    if parts[0] not in top_keys:
        faults.add(f'unknown key "{parts[0]}"', where=place, hint=suggestion(parts[0], top_keys))
        return
    if parts[0] in ("phase", "gate"):
        _override_element(parts, value, written, phase_names, place, faults)
    else:
        _put(written, (parts[0],), parts[1:], value, place, faults)


def _override_element(
    parts: list[str], value: str, written: Written, phase_names: list[str], place: str, faults: Faults
) -> None:
    kind = parts[0]
    elements = written.data.get(kind, [])
    names = phase_names if kind == "phase" else []
    numbers = [str(number) for number in range(len(elements))]
    if len(parts) < 3:
        faults.add("names no single value", where=place, hint=f"write --set {kind}.{(names or ['0'])[0]}.KEY=VALUE")
        return
    if parts[1] in names:
        index = names.index(parts[1])
    elif parts[1] in numbers:
        index = int(parts[1])
    else:
        faults.add(f'there is no {kind} "{parts[1]}"', where=place, hint=suggestion(parts[1], names or numbers))
        return
    if parts[2] in _OTHER_GOAL and len(parts) == 3 and isinstance(elements[index], dict):
        elements[index].pop(_OTHER_GOAL[parts[2]], None)  # users and rate exclude one another
    _put(written, (kind, index), parts[2:], value, place, faults)


def _put(written: Written, path: KeyPath, rest: list[str], value: str, place: str, faults: Faults) -> None:
    full = path + _unspelled(written, path, rest)
    table: Any = written.data
    for key in full[:-1]:
        if isinstance(table, dict):
            below = table.get(key)
            if below is None or below is True:  # ``memory = true`` is a table of defaults
                table[key] = {}
            elif not isinstance(below, dict | list):
                faults.add(f'"{key}" is {quoted(below)}, it has no keys', where=place, hint=_HINT)
                return
        table = table[key]
    table[full[-1]] = _read(value)
    for known in [known for known in written.places if known[: len(full)] == full]:
        del written.places[known]
    written.places[full] = place


def _unspelled(written: Written, path: KeyPath, rest: list[str]) -> KeyPath:
    """A scenario's own word (``hold``) taken for the profile's (``duration``)."""
    for known, spelled in written.spelling.items():
        if known[: len(path)] == path and [spelled] == rest:
            return known[len(path) :]
    return tuple(rest)


def _read(text: str) -> object:
    """A TOML value, or the text itself."""
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text.strip()
    return table["value"] if list(table) == ["value"] else text
