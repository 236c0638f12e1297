"""Readings of the samplers each second: CPU, memory, threads, file descriptors, metrics.

Frames of kind ``resources``: ``epoch_s`` (wall clock), ``source`` (``target``, ``generator``, ``machine``,
``prometheus`` …) and ``values`` (name to number). Names carry their unit: ``cpu_percent`` (100 = one core),
``rss_bytes``, ``threads``, ``fds``, ``processes``. ``process PID`` is one process of the target: ``rss_bytes``, and
``cpu_s`` since its start.

Of the target also ``waiting_percent`` (its threads in run queues, 100 = one thread all the time) and
``throttled_percent``. Of the machine ``dependencies_percent`` (CPU of servers that the target is connected to),
``others_percent`` (of processes that are none of these, nor the target's nor the harness's), ``steal_percent`` (100 =
all cores), ``pressure_percent`` (the time in which some process waited for a core), ``memory_pressure_percent``,
``disk_pressure_percent``, ``cores``, ``received_bytes_per_s``, ``sent_bytes_per_s`` and ``retransmits_per_s`` (segments
that TCP sent again).
Of :data:`REFERENCE_WORK` the CPU time of each of its tasks (``serialise_us``, ``handle_us``), which says how fast the
machine was. Of :data:`OTHERS` the CPU of those of the others that used most, by the process's name (100 = one core), in
seconds in which others were busy.
"""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from typing import Literal

from pydantic.dataclasses import dataclass

from harness.record.frames import STRICT, Epoch, Figure, FrameLog


@dataclass(frozen=True, slots=True, config=STRICT)
class Reading:
    """The values of one source at one moment (``epoch_s``: seconds since 1970, wall clock)."""

    epoch_s: Epoch
    source: str
    values: dict[str, Figure]


READINGS = FrameLog("resources", Reading)

OTHERS = "others"

REFERENCE_WORK = "reference work 1"
"""The source of readings of the machine's speed. Whoever changes the work changes the name: its times are others."""


_PROCESS = "process "


def process_source(pid: int) -> str:
    """The source of the readings of one process of the target."""
    return f"{_PROCESS}{pid}"


def process_of(source: str) -> int | None:
    """The process whose readings have this source; None if it is another one."""
    return int(source.removeprefix(_PROCESS)) if source.startswith(_PROCESS) else None


Tone = Literal["blue", "orange", "green", "red", "purple", "sky", "grey"]


@plain_dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: the readings of ``source`` under ``value``, divided by ``scale``."""

    source: str
    value: str
    name: str
    tone: Tone
    scale: float = 1.0
    filled: bool = False


@plain_dataclass(frozen=True, slots=True)
class LineChart:
    """A chart of readings over time. ``suffix`` is the unit beside its figures, ``empty`` the text without readings."""

    id: str
    title: str
    lines: tuple[Line, ...]
    empty: str
    note: str = ""
    suffix: str = ""
    decimals: int = 1
