"""What a user wrote for one run, as one tree that knows where each value stands.

A scenario's ``ramp(users=50, over="15s")`` and a profile's ``[[phase]]`` become the same table here, so that the same
code checks them. The tree remembers what the user called each key, so that messages use the user's words.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.messages import message, shortened
from harness.plan.description import ScenarioDescription
from harness.plan.phases import phase_kind
from harness.plan.problems import Problems, Where

if TYPE_CHECKING:
    from harness.plan.phases.base import PhaseConfig

_Value = TypeVar("_Value")

KeyPath = tuple[str | int, ...]
"""``("phase", 0, "rate", "from")``."""

_CALLS = (("phase", "phases"), ("gate", "gates"), ("fault", "faults"))
"""What a scenario states by calls: the table's name in a profile, and the variable with the list of calls."""
_EXAMPLES = {
    "phase": 'phases = [steady(users=50, hold="30s")]',
    "gate": 'gates = [gate("p95 < 500ms")]',
    "fault": 'faults = [fault("process", action="pause", phase="steady", at="10s", during="5s")]',
}
_FAULT_KEYS = {"during": "for"}
"""What Python does not allow as an argument."""

MOST_TABLES = 1000
"""Phases, gates, and faults. More come from a program that went wrong."""
DEFAULT_USERS = 10
"""For a scenario that states no load: few enough for any machine, enough to see it work."""
DEFAULT_STEADY_S = 30.0
DEFAULT_PHASES = (
    {"kind": "ramp", "users": DEFAULT_USERS, "duration": "5s"},
    {"kind": "steady", "users": DEFAULT_USERS, "duration": DEFAULT_STEADY_S},
)


@dataclass
class ConfigSource:
    """``data`` is the tree; ``locations`` says where the value at a path stands, ``spelling`` what its key is called
    there, if not by the profile's word.
    """

    data: dict[str, Any] = field(default_factory=dict)
    locations: dict[KeyPath, Where] = field(default_factory=dict)
    spelling: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath) -> Where:
        """File, line and key of the value at ``path``, or of the nearest table around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.locations:
                return self.locations[path[:end]]
        return dotted(path)

    def locations_below(self, table: KeyPath) -> dict[KeyPath, Where]:
        """Where each value in ``table`` was written, by its path in the table; ``()`` is the table itself."""
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
        """Replace the value at ``path`` (one or two keys deep) by that of ``other``."""
        mine, others = self.data, other.data
        for key in path[:-1]:
            mine, others = mine.setdefault(str(key), {}), others[str(key)]
        mine[str(path[-1])] = copy.deepcopy(others[str(path[-1])])
        _take_below(self.locations, other.locations, path)
        _take_below(self.spelling, other.spelling, path)


def _take_below(mine: dict[KeyPath, _Value], others: Mapping[KeyPath, _Value], path: KeyPath) -> None:
    for known in [known for known in mine if known[: len(path)] == path]:
        del mine[known]
    mine.update({known: value for known, value in others.items() if known[: len(path)] == path})


def dotted(path: KeyPath) -> str:
    """``("phase", 0, "rate")`` as ``phase[0].rate``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return shortened(text)


def shown_path(path: str | Path) -> str:
    """The path as the user would type it: relative where it is below the working folder."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def from_scenario(description: ScenarioDescription, problems: Problems) -> ConfigSource:
    """What the scenario file states. What is not even a list of calls goes to ``problems``."""
    source = ConfigSource()
    for kind, name in _CALLS:
        value = getattr(description, name)
        if value is not None:
            _add_calls(source, kind, value, assignment(description.path, name), problems)
    for name in ("sampling", "stop_early", "hook_timeout", "target", "contract"):
        value = getattr(description, name)
        if value is not None:
            source.data[name] = value
            _locate(source, (name,), value, assignment(description.path, name))
    return source


def from_call(phases: object, gates: object, problems: Problems) -> ConfigSource:
    """What a call of ``harness.run`` states, in the form of a scenario's description; None where nothing."""
    source = ConfigSource()
    for (kind, name), value in zip(_CALLS, (phases, gates), strict=False):
        if value is not None:
            _add_calls(source, kind, value, f"harness.run({name})", problems)
    return source


def default_phases(*, has_shape: bool) -> ConfigSource:
    """The phases of a scenario that states none: its own LoadTestShape, or a few users."""
    phases = [{"kind": "shape"}] if has_shape else [dict(phase) for phase in DEFAULT_PHASES]
    return ConfigSource({"phase": phases}, {("phase",): "the default phases (the scenario states none)"})


def _add_calls(source: ConfigSource, kind: str, value: object, location: str, problems: Problems) -> None:
    """Add a list of calls to ``source``; what is not such a call goes to ``problems``."""
    source.locations[(kind,)] = location
    calls = value if isinstance(value, list) else [value]
    wrong = [call for call in calls if not _is_call(call, kind)]
    if wrong and isinstance(wrong[0], Mapping) and "call" in wrong[0]:
        problems.add("scenario-wrong-call", where=location, call=wrong[0]["call"], kind=kind, example=_EXAMPLES[kind])
    elif wrong:
        problems.add("scenario-wrong-value", where=location, value=wrong[0], kind=kind, example=_EXAMPLES[kind])
    elif not isinstance(value, list):
        problems.add("scenario-not-a-list", where=location, name=f"{kind}s", kind=kind, example=_EXAMPLES[kind])
    calls = [call for call in calls if _is_call(call, kind)]
    source.data[kind] = [_table(source, (kind, index), call, problems) for index, call in enumerate(calls)]


def _locate(source: ConfigSource, path: KeyPath, value: object, location: str) -> None:
    """Give every value within a table of the scenario the same line, each with its own key."""
    source.locations[path] = location
    if isinstance(value, Mapping):
        for key, below in value.items():
            _locate(source, (*path, key), below, f"{location}.{key}")


def _is_call(value: object, kind: str) -> bool:
    if not isinstance(value, Mapping) or "call" not in value:
        return False
    return value["call"] == kind or (kind == "phase" and value["call"] not in ("gate", "fault"))


def _table(source: ConfigSource, path: KeyPath, call: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """One call as a profile's table; its locations and spellings go to ``source``, wrong words to ``problems``."""
    name: str = call["call"]
    location = f"{shown_path(call['file'])}:{call['line']}: {name}"
    source.locations[path] = location
    arguments: dict[str, Any] = call["arguments"]
    if name in ("gate", "fault"):
        words = _FAULT_KEYS if name == "fault" else {}
        keys = {argument: words.get(argument, argument) for argument in arguments}
        source.locations |= {(*path, key): f"{location}({argument})" for argument, key in keys.items()}
        source.spelling |= {(*path, key): argument for argument, key in words.items()}
        return {keys[argument]: value for argument, value in arguments.items()}
    kind = phase_kind(name)
    table: dict[str, Any] = {"kind": name}
    for argument, key in kind.call_keys.items():
        source.spelling[*path, key] = argument
    for argument, value in arguments.items():
        if argument in kind.goal_arguments:
            continue
        if meant := source.spelling.get((*path, argument)):  # the profile's word, which the call has another for
            problems.add(
                "unknown-key",
                where=f"{location}({argument})",
                word=argument,
                alternatives=message("meant", close=meant),
            )
        key = kind.call_keys.get(argument, argument)
        table[key] = value
        source.locations[*path, key] = f"{location}({argument})"
        if key in ("users", "rate") and isinstance(value, list) and kind.levels:
            table[key] = _goal(source, (*path, key), kind, value, arguments, location)
    return table


def _goal(
    source: ConfigSource,
    path: KeyPath,
    kind: type[PhaseConfig],
    levels: list[Any],
    arguments: Mapping[str, Any],
    location: str,
) -> dict[str, Any]:
    """A call's tuple of levels as a profile's table, with those arguments that a profile has in it."""
    word = str(path[-1])
    table: dict[str, Any] = dict(zip(kind.levels, levels, strict=False))
    for index, part in enumerate(kind.levels):
        source.spelling[*path, part] = f"{word}[{index}] ({part})"
    if len(levels) > len(kind.levels):
        table["more"] = levels[len(kind.levels) :]
        source.spelling[*path, "more"] = f"{word}[{len(kind.levels)}]"
    for argument in kind.goal_arguments:
        source.spelling[*path, argument] = argument
        if argument in arguments:
            table[argument] = arguments[argument]
            source.locations[*path, argument] = f"{location}({argument})"
    return table


def assignment(file: str, name: str) -> str:
    """File, line and name of the scenario's last module-level assignment to ``name``."""
    line = None
    path = Path(file)
    if path.is_file():
        for node in ast.parse(path.read_bytes()).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                line = node.lineno
    return f"{shown_path(file)}:{line}: {name}" if line else f"{shown_path(file)}: {name}"
