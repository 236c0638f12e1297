"""What a scenario file writes to state its load and its requirements.

Each call returns a plain record of its arguments and its line. Nothing is checked here: the controller checks all
records together, so that it can report every problem of the file at once. Nothing heavy is imported either, since
every load process loads the scenario.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from types import ModuleType
from typing import Literal, Never, cast, get_args

from harness.plan.phases import phase_kind

Goal = int | float | str | tuple[int | float | str, ...]
"""Users (50) or arrivals per second (200, ``"200/s"``); a tuple where the load changes within the phase."""
Time = int | float | str
"""``"20s"``, ``"1m30s"``, ``"500ms"``, ``"2h"`` or seconds."""


@dataclass(frozen=True)
class Spec:
    """One call: ``arguments`` are those that the user gave, by name."""

    call: str
    arguments: Mapping[str, object] = field(hash=False)
    file: str
    line: int

    def to_dict(self, within: tuple[int, ...] = ()) -> dict[str, object]:
        """Ready for JSON: ``{"call": "ramp", "arguments": {"users": 50, "over": "15s"}, "file": …, "line": …}``.

        ``within`` as in :func:`plain`.
        """
        within = (*within, id(self))
        arguments = {name: plain(value, within) for name, value in self.arguments.items()}
        return {"call": self.call, "arguments": arguments, "file": self.file, "line": self.line}


class PhaseSpec(Spec):
    """A phase."""


class GateSpec(Spec):
    """A gate."""


class FaultSpec(Spec):
    """A fault."""


class PhaseFunction:
    """``harness.steady`` and the other phase functions.

    The kind's file, and pydantic with it, is imported only when the function is called or looked at.
    """

    def __init__(self, kind: str) -> None:
        self.__name__ = self.__qualname__ = kind

    def __call__(self, *args: object, **kwargs: object) -> PhaseSpec:
        return self._call(*args, **kwargs)

    def __repr__(self) -> str:
        return f"harness.{self.__name__}"

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._call.__doc__

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._call)

    @property
    def _call(self) -> Callable[..., PhaseSpec]:
        return phase_kind(self.__name__).call


def gate(
    require: str | None = None, *, phase: str | None = None, endpoint: str | None = None, **unknown: Never
) -> GateSpec:
    """Require something of the run: ``gate("p95 < 500ms", phase="steady", endpoint="POST /checkout")``.

    Without ``phase`` it must hold in every measured phase (steady, spike, shape), each by itself. Ramp, stress and
    search phases, which are meant to warm up or to break, are read only if you name them. Without ``endpoint`` it
    reads all requests together. A gate on a fault reads the fault's phase:
    ``gate('error_rate < 5% during "db slow"')``.
    """
    file, line = _caller()
    return GateSpec("gate", _without_none(require=require, phase=phase, endpoint=endpoint, **unknown), file, line)


def fault(
    kind: str | None = None,
    *,
    name: str | None = None,
    phase: str | None = None,
    at: Time | None = None,
    during: Time | None = None,
    **settings: object,
) -> FaultSpec:
    """Break something on purpose: ``fault("process", action="pause", phase="steady", at="10s", during="5s")``.

    It begins ``at`` this time after the phase's start (by default at once), and ends after ``during`` or with the
    phase. Gates use its ``name`` (by default its kind). ``settings`` are the keys of the kind (docs/faults.md).
    """
    file, line = _caller()
    arguments = _without_none(kind=kind, name=name, phase=phase, at=at, during=during, **settings)
    return FaultSpec("fault", arguments, file, line)


BEYOND_INTEGERS = 1 << 63
"""TOML's whole numbers have 64 bits."""
DEEPEST = 20
"""Nested lists and tables."""
STATED = ("phases", "gates", "faults", "sampling", "stop_early", "hook_timeout", "target", "contract")
"""The variables of a scenario's module that the harness reads."""
Hook = Literal["setup", "verify", "teardown"]
HOOKS: tuple[Hook, ...] = get_args(Hook)
"""The functions of a scenario's module that the harness calls once, before or after the load."""


def declared(namespace: Mapping[str, object]) -> dict[str, object]:
    """What a scenario's module states for the harness, by the names of :data:`STATED`, ready for JSON.

    Each is None where the scenario says nothing. A file that uses nothing of ``harness`` states nothing: an ordinary
    locustfile may have a variable ``phases`` of its own.
    """
    if not uses_harness(namespace):
        return dict.fromkeys(STATED)
    stated = {name: namespace.get(name) for name in STATED}
    for name, kinds in (("target", str | Mapping), ("contract", Mapping)):
        if not isinstance(stated[name], kinds):  # a function, say: then it is a name of the scenario's own
            stated[name] = None
    return {name: plain(value) for name, value in stated.items()}


def uses_harness(namespace: Mapping[str, object]) -> bool:
    """Whether a module imports anything of ``harness``."""
    for value in namespace.values():
        origin = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if isinstance(origin, str) and (origin == "harness" or origin.startswith("harness.")):
            return True
    return False


def phase_spec(kind: str, arguments: Mapping[str, object]) -> PhaseSpec:
    """The call of a phase function with ``arguments``, its ``locals()``."""
    named = {name: value for name, value in arguments.items() if name != "unknown"}
    unknown = cast("Mapping[str, object]", arguments.get("unknown", {}))
    file, line = _caller()
    return PhaseSpec(kind, _without_none(**named, **unknown), file, line)


def _without_none(**arguments: object) -> dict[str, object]:
    return {name: value for name, value in arguments.items() if value is not None}


def _caller() -> tuple[str, int]:
    """File and line of the scenario's own call."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("harness.plan."):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def plain(value: object, within: tuple[int, ...] = ()) -> object:
    """The value as JSON can hold it; anything else as the text that Python shows for it.

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
