"""What a scenario file writes to state its load and its requirements.

Each call returns a plain record of its arguments and of the line it was written on. Nothing is checked here: the
controller checks all records together, so that every fault of the file is told at once. Nothing heavy is imported
either: a scenario is loaded in every load process.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import ModuleType
from typing import Never

Goal = int | float | str | tuple[int | float | str, ...]
"""Users (50) or arrivals per second (200, ``"200/s"``); several where the load changes within the phase."""
Time = int | float | str
"""``"20s"``, ``"1m30s"``, ``"500ms"``, ``"2h"`` or seconds."""


@dataclass(frozen=True)
class Spec:
    """One call as it was written: ``arguments`` holds those that were given, by name."""

    call: str
    arguments: Mapping[str, object] = field(hash=False)
    file: str
    line: int

    def to_dict(self, within: tuple[int, ...] = ()) -> dict[str, object]:
        """JSON-able: ``{"call": "ramp", "arguments": {"users": 50, "over": "15s"}, "file": …, "line": …}``.

        ``within`` as in :func:`plain`.
        """
        within = (*within, id(self))
        arguments = {name: plain(value, within) for name, value in self.arguments.items()}
        return {"call": self.call, "arguments": arguments, "file": self.file, "line": self.line}


class PhaseSpec(Spec):
    """A phase."""


class GateSpec(Spec):
    """A gate."""


def ramp(
    *,
    users: Goal | None = None,
    rate: Goal | None = None,
    over: Time | None = None,
    name: str | None = None,
    max_users: int | None = None,
    spacing: str | None = None,
    **unknown: Never,
) -> PhaseSpec:
    """Change the load evenly to ``users`` (closed model) or ``rate`` arrivals per second (open model).

    It begins at the level of the phase before; a pair, ``users=(10, 50)``, sets both ends. The open model may bound
    its users by ``max_users``, and spreads its arrivals evenly or, with ``spacing="poisson"``, at random.
    """
    return _phase("ramp", users=users, rate=rate, over=over, name=name, max_users=max_users, spacing=spacing, **unknown)


def steady(
    *,
    users: Goal | None = None,
    rate: Goal | None = None,
    hold: Time | None = None,
    name: str | None = None,
    max_users: int | None = None,
    spacing: str | None = None,
    **unknown: Never,
) -> PhaseSpec:
    """Hold ``users`` (closed model) or ``rate`` arrivals per second (open model) for ``hold``."""
    return _phase(
        "steady", users=users, rate=rate, hold=hold, name=name, max_users=max_users, spacing=spacing, **unknown
    )


def stress(
    *,
    users: Goal | None = None,
    rate: Goal | None = None,
    every: Time | None = None,
    until: str | None = None,
    name: str | None = None,
    max_users: int | None = None,
    spacing: str | None = None,
    **unknown: Never,
) -> PhaseSpec:
    """Step the load up until a limit breaks; the last step that held is the capacity.

    ``users`` or ``rate`` is (first level, last level, step); each step takes ``every``; ``until`` is the limit, such
    as ``"p95 > 500ms or error_rate > 1%"``.
    """
    return _phase(
        "stress",
        users=users,
        rate=rate,
        every=every,
        until=until,
        name=name,
        max_users=max_users,
        spacing=spacing,
        **unknown,
    )


def spike(
    *,
    users: Goal | None = None,
    rate: Goal | None = None,
    over: Time | None = None,
    hold: Time | None = None,
    base: Goal | None = None,
    name: str | None = None,
    max_users: int | None = None,
    spacing: str | None = None,
    **unknown: Never,
) -> PhaseSpec:
    """Go from ``base`` to a peak of ``users`` or ``rate`` within ``over``, stay for ``hold``, and go back as fast.

    ``base`` is in the peak's unit; by default the level of the phase before. ``over`` is 1 s by default.
    """
    return _phase(
        "spike",
        users=users,
        rate=rate,
        over=over,
        hold=hold,
        base=base,
        name=name,
        max_users=max_users,
        spacing=spacing,
        **unknown,
    )


def pause(duration: Time | None = None, *, name: str | None = None, **unknown: Never) -> PhaseSpec:
    """No load for ``duration``: what the target does afterwards shows whether it recovered."""
    return _phase("pause", duration=duration, name=name, **unknown)


def gate(
    require: str | None = None, *, phase: str | None = None, endpoint: str | None = None, **unknown: Never
) -> GateSpec:
    """Require something of the run: ``gate("p95 < 500ms", phase="steady", endpoint="POST /checkout")``.

    Without ``phase`` it holds for every steady, spike and shape phase, each by itself; ramp and stress phases, which
    are meant to warm up and to break, are read only when named. Without ``endpoint``: all requests together.
    """
    file, line = _caller()
    return GateSpec("gate", _without_none(require=require, phase=phase, endpoint=endpoint, **unknown), file, line)


BEYOND_INTEGERS = 1 << 63
"""TOML's whole numbers have 64 bits."""
DEEPEST = 20
"""Of lists and tables in one another."""
STATED = ("phases", "gates", "sampling", "stop_early")
"""The variables of a scenario's module that the harness reads."""


def declared(namespace: Mapping[str, object]) -> dict[str, object]:
    """What a scenario's module states for the harness, JSON-able, by the names of :data:`STATED`.

    Each is None where the scenario says nothing. A file that uses nothing of ``harness`` states nothing: an ordinary
    locustfile may have a variable ``phases`` of its own.
    """
    if not uses_harness(namespace):
        return dict.fromkeys(STATED)
    return {name: plain(namespace.get(name)) for name in STATED}


def uses_harness(namespace: Mapping[str, object]) -> bool:
    """Whether a module imports anything of ``harness``."""
    for value in namespace.values():
        origin = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(origin, str) and (origin == "harness" or origin.startswith("harness.")):
            return True
    return False


def _phase(call: str, **arguments: object) -> PhaseSpec:
    file, line = _caller(depth=3)
    return PhaseSpec(call, _without_none(**arguments), file, line)


def _without_none(**arguments: object) -> dict[str, object]:
    return {name: value for name, value in arguments.items() if value is not None}


def _caller(depth: int = 2) -> tuple[str, int]:
    """File and line of the scenario's own call."""
    frame = sys._getframe(depth)
    return frame.f_code.co_filename, frame.f_lineno


def plain(value: object, within: tuple[int, ...] = ()) -> object:
    """The value as JSON can hold it; what JSON cannot hold as the text Python shows for it.

    ``within`` are the ``id`` of the lists, tables and calls that it stands in.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, Integral):  # also numpy's
        number = int(value)
        return number if abs(number) < BEYOND_INTEGERS else "a number of more than 64 bits"
    if isinstance(value, Real):
        return float(value)
    if not isinstance(value, Spec | Mapping | Sequence):
        return repr(value)
    if id(value) in within or len(within) > DEEPEST:
        return "…"
    if isinstance(value, Spec):
        return value.to_dict(within)
    within = (*within, id(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item, within) for key, item in value.items()}
    return [plain(item, within) for item in value]
