"""Rows of a :class:`SecondTable` as typed values: requests that ended, and how late arrivals started."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.record.histogram import Histogram, Ints
from harness.record.second_accumulator import SecondAccumulator, packed
from harness.record.second_table import AFTER, FAILED, KINDS, MAXIMA_US, RESPONSE, SERVICE, SIZES, SUMS_US, SecondTable


@dataclass(frozen=True, slots=True, eq=False)
class EndpointSecond:
    """The requests of one phase (in which they *started*), segment and endpoint that ended in one second.

    ``response`` has all requests, ``failed`` only those that failed. In the closed model ``service`` is the same object
    as ``response``.
    """

    phase: int
    segment: int
    endpoint: int
    requests: int
    failures: int
    bytes_received: int
    response: Histogram
    service: Histogram
    failed: Histogram

    @property
    def started(self) -> int:
        """The requests that the phase's load started: not those of iterations that were finished after its end."""
        return 0 if self.segment == AFTER else self.requests

    @classmethod
    def all_of(cls, table: SecondTable) -> list[EndpointSecond]:
        """One for each row of a table. The histograms are views of the table's buckets."""
        ends = np.cumsum(table.sizes)
        begins = ends - table.sizes.ravel()
        sums_us, maxima_us = table.rows[:, SUMS_US:MAXIMA_US].ravel(), table.rows[:, MAXIMA_US:SIZES].ravel()
        parts = np.stack([begins, ends, sums_us, maxima_us], axis=1).tolist()

        def histogram(number: int) -> Histogram:
            begin, end, sum_us, max_us = parts[number]
            return Histogram(table.buckets[begin:end], table.counts[begin:end], sum_us, max_us) if end > begin else none

        none = Histogram.empty()
        every = []
        for row, values in enumerate(table.rows[:, :SUMS_US].tolist()):
            _, phase, segment, endpoint, is_open, requests, failures, bytes_received = values
            response = histogram(row * KINDS + RESPONSE)
            service = histogram(row * KINDS + SERVICE) if is_open else response
            failed = histogram(row * KINDS + FAILED)
            every.append(cls(phase, segment, endpoint, requests, failures, bytes_received, response, service, failed))
        return every


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
