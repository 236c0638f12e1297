"""``[[fault]]`` of a profile, and ``faults = [fault(…)]`` of a scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Annotated, Any, ClassVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, create_model

from harness.errors import InvalidValue
from harness.faults import FAULTS, Fault
from harness.faults.place import setting_to_allow
from harness.messages import alternatives
from harness.plan.config_source import ConfigSource, KeyPath
from harness.plan.model.fault import PlannedFault
from harness.plan.model.phase import Phase
from harness.plan.phases import phase_kind
from harness.plan.problems import Problems, shown
from harness.plan.validation_errors import checked
from harness.quantities import Duration, parse_duration

_LONGEST_NAME = 100
_COMMON = {"name", "phase", "at", "for_"}


def _name(value: object) -> str:
    valid = isinstance(value, str) and value.strip() and value.isprintable() and '"' not in value
    if not isinstance(value, str) or not valid or len(value) > _LONGEST_NAME:
        raise InvalidValue("fault-name-invalid", value=value, most=_LONGEST_NAME)
    return value.strip()


def _offset(value: object) -> float:
    return 0.0 if value in ("0", "0s", "0ms") or (value == 0 and value is not False) else parse_duration(value)


class FaultTable(BaseModel):
    """The keys of faults of all kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    synonyms: ClassVar[Mapping[str, str]] = {"duration": "for", "after": "at", "in": "phase", "type": "kind"}

    name: Annotated[str, BeforeValidator(_name)] | None = None
    phase: StrictStr | None = None
    at: Annotated[float, BeforeValidator(_offset)] = 0.0
    for_: Duration | None = Field(None, alias="for")


@cache
def _table(kind: str) -> type[FaultTable]:
    """The keys of a kind, together with those of all kinds."""
    bases: Any = (FaultTable, FAULTS[kind])
    table = cast("type[FaultTable]", create_model(kind, __base__=bases))
    table.synonyms = {**FaultTable.synonyms, **FAULTS[kind].synonyms}
    return table


@dataclass(frozen=True)
class TimedFault:
    """A fault of a plan, as its kind reads it."""

    planned: PlannedFault
    fault: Fault

    @property
    def end_s(self) -> float:
        """In its phase; at the latest, the end of that ends it."""
        length_s = 0.0 if self.fault.is_momentary else self.planned.for_s or math.inf
        return self.planned.at_s + length_s

    def overlaps(self, other: TimedFault) -> bool:
        """Whether one begins before the other has ended, if both are in one phase."""
        first, second = sorted((self, other), key=lambda each: each.planned.at_s)
        return first.end_s > second.planned.at_s or first.planned.at_s == second.planned.at_s


@dataclass(frozen=True)
class _Read(TimedFault):
    """And where its table stands."""

    path: KeyPath


def read_faults(
    source: ConfigSource, names: Sequence[str], phases: Sequence[Phase], allowed: Sequence[str], problems: Problems
) -> list[PlannedFault]:
    """The faults of ``source``. Adds what is wrong to ``problems``.

    ``names`` are those of all phases, ``phases`` those of them that are valid; ``allowed`` is ``allowed_faults``.
    """
    tables = enumerate(source.data["fault"])
    found = [read for index, table in tables if (read := _read(source, ("fault", index), table, names, problems))]
    of_name = {phase.name: phase for phase in phases}
    touched = {thing for read in found for thing in read.fault.outside}
    for read in found:
        for thing in read.fault.outside:
            if thing not in allowed:
                setting = setting_to_allow(thing, [*allowed, *sorted(touched.difference(allowed, [thing]))])
                problems.add("fault-not-allowed", where=source.where(read.path), name=thing, setting=setting)
        if read.planned.phase in of_name:
            _check_times(read, of_name[read.planned.phase], source, problems)
    for first, second in _pairs(found, lambda read: read.planned.name):
        where, other = source.where((*second.path, "name")), shown(source.where(first.path))
        problems.add("fault-name-twice", where=where, name=second.planned.name, other=other)
    for first, second in _pairs(found, lambda read: (read.planned.phase, read.fault.thing)):
        if first.overlaps(second):
            where, other = source.where(second.path), shown(source.where(first.path))
            thing, name = second.fault.thing, second.planned.name
            problems.add("faults-overlap", where=where, thing=thing, name=name, other=other)
    return [read.planned for read in found]


def _pairs(found: Sequence[_Read], key: Callable[[_Read], Hashable]) -> Iterator[tuple[_Read, _Read]]:
    """All that have the same ``key``, two at a time: a thousand faults make half a million pairs."""
    alike: dict[Hashable, list[_Read]] = {}
    for read in found:
        alike.setdefault(key(read), []).append(read)
    for same in alike.values():
        yield from combinations(same, 2)


def _read(
    source: ConfigSource, path: KeyPath, table: Mapping[str, Any], names: Sequence[str], problems: Problems
) -> _Read | None:
    kind = table.get("kind")
    if kind is None:
        problems.add("fault-without-kind", where=source.where(path), known=list(FAULTS))
        return None
    if not isinstance(kind, str) or kind not in FAULTS:
        known = alternatives(str(kind), FAULTS)
        problems.add("fault-unknown-kind", where=source.where((*path, "kind")), kind=kind, alternatives=known)
        return None
    keys = {key: value for key, value in table.items() if key != "kind"}
    read = checked(_table(kind), keys, path, source, problems)
    phase = _phase(table.get("phase"), source, path, names, problems)
    if read is None or phase is None:
        return None
    settings = read.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=_COMMON)
    planned = PlannedFault(
        name=read.name or kind,
        kind=kind,
        phase=phase,
        at_s=read.at,
        for_s=read.for_,
        settings=settings,
        where=str(shown(source.where(path))),
    )
    return _Read(planned, FAULTS[kind].model_validate(settings), path)


def _phase(stated: object, source: ConfigSource, path: KeyPath, names: Sequence[str], problems: Problems) -> str | None:
    """The phase that a fault is in; it need not be stated if there is one only."""
    if stated is None and len(names) == 1:
        return names[0]
    if stated is None:
        problems.add("fault-without-phase", where=source.where(path), known=list(names))
    elif isinstance(stated, str) and stated not in names:
        where, known = source.where((*path, "phase")), alternatives(stated, names)
        problems.add("fault-unknown-phase", where=where, phase=stated, alternatives=known)
    return stated if isinstance(stated, str) and stated in names else None


def _check_times(read: _Read, phase: Phase, source: ConfigSource, problems: Problems) -> None:
    at_s, for_s, length_s = read.planned.at_s, read.planned.for_s, phase.duration_s
    at, lasts = source.where((*read.path, "at")), source.where((*read.path, "for"))
    if phase_kind(phase.kind).by_steps:  # its steps are judged by all of their seconds
        problems.add("fault-in-steps", where=source.where((*read.path, "phase")), phase=phase.name, kind=phase.kind)
    elif read.fault.is_momentary and for_s is not None:
        problems.add("fault-momentary", where=lasts, word=source.spelled((*read.path, "for")))
    elif length_s and at_s >= length_s:
        problems.add("fault-after-phase", where=at, phase=phase.name, at_s=at_s, length_s=length_s)
    elif length_s and for_s is not None and at_s + for_s > length_s:
        problems.add("fault-beyond-phase", where=lasts, phase=phase.name, end_s=at_s + for_s, length_s=length_s)
