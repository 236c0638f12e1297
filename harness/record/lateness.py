"""How late arrivals of the open model started, and how much of that the load generator caused itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram, Ints
from harness.record.second_accumulator import SecondAccumulator, packed
from harness.record.second_table import SecondTable


@dataclass(frozen=True, slots=True, eq=False)
class Lateness:
    """How long after its intended start each arrival of a phase started, in µs; punctual arrivals are included.

    ``delay`` is the whole delay. ``own`` is the part that the generator caused: if a user was free, all of it; if not,
    the time until the generator turned to the arrival. The rest of the time the target kept all users busy.
    """

    phase: int
    delay: Histogram
    own: Histogram

    @classmethod
    def table(cls, phases: Ints, delays_us: Ints, own_us: Ints) -> SecondTable:
        """Single arrivals, an entry each, as a table with a row per phase. It has no segment, endpoint or second."""
        yes = np.ones(len(phases), dtype=np.bool_)
        none = np.zeros(len(phases), dtype=np.int64)
        arrivals = SecondAccumulator()
        arrivals.add_requests(
            packed(phases, none, none),
            yes,
            response_us=delays_us,
            service_us=own_us,
            bytes_received=none,
            failed=~yes,
            timed=yes,
        )
        return arrivals.table(0)

    @classmethod
    def all_of(cls, table: SecondTable) -> list[Lateness]:
        """The rows of a table. ``delay`` is in the column of the response time, ``own`` in that of the service time."""
        return [cls(row.phase, row.response, row.service) for row in EndpointSecond.all_of(table)]

    @classmethod
    def merged(cls, parts: list[Lateness]) -> list[Lateness]:
        """The sum of ``parts``, one per phase."""
        phases = sorted({part.phase for part in parts})
        return [
            cls(
                phase,
                Histogram.merged([part.delay for part in parts if part.phase == phase]),
                Histogram.merged([part.own for part in parts if part.phase == phase]),
            )
            for phase in phases
        ]
