"""How late a load generator started the arrivals of an open model: what of it was the target's doing, what its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.record.endpoint_second import EndpointSecond
from harness.record.histogram import Histogram, Ints
from harness.record.second_accumulator import SecondAccumulator, packed
from harness.record.second_table import SecondTable


@dataclass(frozen=True, slots=True, eq=False)
class Lateness:
    """How long after their intended start a phase's arrivals were started; in µs, all of them, punctual ones too.

    ``delay`` holds the whole of it, whatever its cause. ``own`` holds the part that is the generator's: all of it where
    a user was free, else only the time until the generator turned to the arrival; the rest it waited for a user, which
    the target kept busy.
    """

    phase: int
    delay: Histogram
    own: Histogram

    @classmethod
    def table(cls, phases: Ints, delays_us: Ints, own_us: Ints) -> SecondTable:
        """Single arrivals, an entry each, as a table of a row a phase (of no segment, endpoint or second)."""
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
        """The rows of a table: ``delay`` stands where requests have their response time, ``own`` where the service
        time is.
        """
        return [cls(row.phase, row.response, row.service) for row in EndpointSecond.all_of(table)]

    @classmethod
    def merged(cls, parts: list[Lateness]) -> list[Lateness]:
        """The sum of ``parts``, one for each phase."""
        phases = sorted({part.phase for part in parts})
        return [
            cls(
                phase,
                Histogram.merged([part.delay for part in parts if part.phase == phase]),
                Histogram.merged([part.own for part in parts if part.phase == phase]),
            )
            for phase in phases
        ]
