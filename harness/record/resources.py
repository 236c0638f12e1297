"""What the samplers read, each second: CPU, memory, threads, file descriptors, metrics; written as it is read.

Frames of kind ``resources``: ``epoch_s`` (wall clock), ``source`` (``target``, ``generator``, ``machine``,
``prometheus`` …) and ``values`` (name to number). Names carry their unit: ``cpu_percent`` (100 = one core),
``rss_bytes``, ``threads``, ``fds``, ``processes``, ``steal_percent``.
"""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from harness.record.frame_log import FrameLog
from harness.record.frames import STRICT, Epoch, Figure


@dataclass(frozen=True, slots=True, config=STRICT)
class Reading:
    """The values of one source at one moment (``epoch_s``: seconds since 1970, wall clock)."""

    epoch_s: Epoch
    source: str
    values: dict[str, Figure]


READINGS = FrameLog("resources", Reading)
