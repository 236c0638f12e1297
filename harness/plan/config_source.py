"""Everything the user wrote for one run in one tree of the profile's shape, with where each value was written.

A scenario's ``ramp(users=50, over="15s")`` and a profile's ``[[phase]]`` become the same table here, so that they are
checked by the same code; the tree remembers what the user called each key, so that messages speak the user's words.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.plan.description import ScenarioDescription
from harness.plan.problems import Problems, quoted

KeyPath = tuple[str | int, ...]
"""``("phase", 0, "rate", "from")``."""

_KEY_OF_ARGUMENT = {"ramp": {"over": "duration"}, "steady": {"hold": "duration"}}
"""What a call's argument is called in a profile, where it is called otherwise."""
_PARTS = {"ramp": ("from", "to"), "stress": ("from", "to", "step")}
"""What a call's tuple of levels means."""

_CALLS = (("phase", "phases"), ("gate", "gates"))
"""What is stated by calls: the table's name in a profile, and what the list of calls is named."""
_EXAMPLES = {"phase": 'phases = [steady(users=50, hold="30s")]', "gate": 'gates = [gate("p95 < 500ms")]'}

DEFAULT_USERS = 10
"""What a file that says nothing of its load is run with: few enough for any machine, enough to see it work."""
DEFAULT_PHASES = (
    {"kind": "ramp", "users": DEFAULT_USERS, "duration": "5s"},
    {"kind": "steady", "users": DEFAULT_USERS, "duration": "30s"},
)


@dataclass
class ConfigSource:
    """``data`` is the tree; ``locations`` says where the value at a path was written; ``spelling`` what its key is
    called there, if otherwise than in a profile.
    """

    data: dict[str, Any] = field(default_factory=dict)
    locations: dict[KeyPath, str] = field(default_factory=dict)
    spelling: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """File, line and key of the value at ``path``; of the nearest table around it if it was not written."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.locations:
                return self.locations[path[:end]]
        return dotted(path)

    def locations_below(self, table: KeyPath) -> dict[KeyPath, str]:
        """Where what is in ``table`` was written, by the paths within it; ``()`` is the table's own place."""
        return {
            (): self.where(table),
            **{
                path[len(table) :]: location for path, location in self.locations.items() if path[: len(table)] == table
            },
        }

    def spelled(self, path: KeyPath) -> str:
        """What the user calls the key at ``path``."""
        return self.spelling.get(path, str(path[-1]))

    def take(self, other: ConfigSource, path: KeyPath) -> None:
        """Replace what is at ``path`` (one or two keys deep) by what ``other`` has there."""
        tables: tuple[dict[str, Any], dict[str, Any]] = (self.data, other.data)
        for key in path[:-1]:
            tables = (tables[0].setdefault(str(key), {}), tables[1][str(key)])
        tables[0][str(path[-1])] = copy.deepcopy(tables[1][str(path[-1])])
        for mine, others in ((self.locations, other.locations), (self.spelling, other.spelling)):
            for known in [known for known in mine if known[: len(path)] == path]:
                del mine[known]
            mine.update({known: text for known, text in others.items() if known[: len(path)] == path})


def dotted(path: KeyPath) -> str:
    """``("phase", 0, "rate")`` as ``phase[0].rate``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown_path(path: str | Path) -> str:
    """The path as the user would type it: relative where it is below the working folder."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def from_scenario(description: ScenarioDescription, problems: Problems) -> ConfigSource:
    """What the scenario file states. What is not even a list of calls is told to ``problems`` and left out."""
    source = ConfigSource()
    for kind, name in _CALLS:
        value = getattr(description, name)
        if value is not None:
            _take_calls(source, kind, value, _assignment(description.file, name), problems)
    for name in ("sampling", "stop_early"):
        value = getattr(description, name)
        if value is not None:
            source.data[name] = value
            _place_all(source, (name,), value, _assignment(description.file, name))
    return source


def from_call(phases: object, gates: object, problems: Problems) -> ConfigSource:
    """What a call of ``harness.run`` states, in the form of a scenario's description; None where nothing."""
    source = ConfigSource()
    for (kind, name), value in zip(_CALLS, (phases, gates), strict=True):
        if value is not None:
            _take_calls(source, kind, value, f"harness.run({name})", problems)
    return source


def _take_calls(source: ConfigSource, kind: str, value: object, location: str, problems: Problems) -> None:
    """A list of calls into ``source``; what is none is left out and added to ``problems``."""
    source.locations[(kind,)] = location
    calls = value if isinstance(value, list) else [value]
    if not isinstance(value, list) or not all(_is_call(call, kind) for call in calls):
        wrong = next((call for call in calls if not _is_call(call, kind)), None)
        what = f"{_shown_call(wrong)} is not a {kind}" if wrong is not None else f"{kind}s is not a list"
        problems.add(what, where=location, hint=f"write a list of {kind}s, such as {_EXAMPLES[kind]}")
        calls = [call for call in calls if _is_call(call, kind)]
    source.data[kind] = [_table(source, (kind, index), call, problems) for index, call in enumerate(calls)]


def _place_all(source: ConfigSource, path: KeyPath, value: object, location: str) -> None:
    """The same line for every value within a table of the scenario, each with its own key."""
    source.locations[path] = location
    if isinstance(value, Mapping):
        for key, below in value.items():
            _place_all(source, (*path, key), below, f"{location}.{key}")


def default_phases(*, has_shape: bool) -> ConfigSource:
    """What a file is run with that says nothing of its load: its own LoadTestShape, or a few users."""
    phases = [{"kind": "shape"}] if has_shape else [dict(phase) for phase in DEFAULT_PHASES]
    return ConfigSource({"phase": phases}, {("phase",): "the default phases (the scenario states none)"})


def _is_call(value: object, kind: str) -> bool:
    return isinstance(value, Mapping) and "call" in value and (value["call"] == "gate") == (kind == "gate")


def _shown_call(value: object) -> str:
    return f"{value['call']}(…)" if isinstance(value, Mapping) and "call" in value else quoted(value)


def _table(source: ConfigSource, path: KeyPath, call: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """One call as a profile's table; its places and spellings go to ``source``, wrong words to ``problems``."""
    kind: str = call["call"]
    location = f"{shown_path(call['file'])}:{call['line']}: {kind}"
    source.locations[path] = location
    table: dict[str, Any] = {} if kind == "gate" else {"kind": kind}
    arguments: dict[str, Any] = dict(call["arguments"])
    every = arguments.pop("every", None) if kind == "stress" else None
    for argument, key in _KEY_OF_ARGUMENT.get(kind, {}).items():
        source.spelling[*path, key] = argument
    for argument, value in arguments.items():
        key = _KEY_OF_ARGUMENT.get(kind, {}).get(argument, argument)
        if (*path, argument) in source.spelling:  # the profile's word, which the call has another for
            meant = source.spelling[*path, argument]
            problems.add(f'unknown key "{argument}"', where=f"{location}({argument})", hint=f'did you mean "{meant}"?')
        table[key] = value
        source.locations[*path, key] = f"{location}({argument})"
        if key in ("users", "rate") and isinstance(value, list) and kind in _PARTS:
            table[key] = dict(zip(_PARTS[kind], value, strict=False))
            for index, part in enumerate(_PARTS[kind]):
                source.spelling[*path, key, part] = f"{argument}[{index}] ({part})"
            if len(value) > len(_PARTS[kind]):
                table[key]["more"] = value[len(_PARTS[kind]) :]
                source.spelling[*path, key, "more"] = f"{argument}[{len(_PARTS[kind])}]"
        if kind == "stress" and key in ("users", "rate") and isinstance(table[key], dict):
            source.spelling[*path, key, "every"] = "every"
            if every is not None:
                table[key]["every"] = every
                source.locations[*path, key, "every"] = f"{location}(every)"
    return table


def _assignment(file: str, name: str) -> str:
    """File, line and name of the scenario's last module-level assignment to ``name``."""
    line = None
    path = Path(file)
    if path.is_file():
        for node in ast.parse(path.read_bytes()).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                line = node.lineno
    return f"{shown_path(file)}:{line}: {name}" if line else f"{shown_path(file)}: {name}"
