"""What was read of the target's surroundings, each second and from each source; written as it is read.

Frames of kind ``metrics``: ``epoch_s`` (wall clock), ``source`` (NAME of ``[metrics.NAME]``), and by name ``gauges``
(what is now) and ``counters`` (totals that only grow, until their server starts again).
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from harness.record.frames import STRICT, Epoch, FrameLog

LARGEST = 1e300
"""Counters of nanoseconds or bytes have no smaller bound."""
Total = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]


@dataclass(frozen=True, slots=True, config=STRICT)
class MetricReading:
    """The values of one source at one moment."""

    epoch_s: Epoch
    source: str
    gauges: dict[str, Total] = field(default_factory=dict)
    counters: dict[str, Total] = field(default_factory=dict)


METRIC_READINGS = FrameLog("metrics", MetricReading)
