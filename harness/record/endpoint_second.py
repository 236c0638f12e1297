"""One row of a :class:`SecondTable` as a typed value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from harness.record.histogram import Histogram
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
    def all_of(cls, table: SecondTable, rows: Iterable[int] | None = None) -> list[EndpointSecond]:
        """One for each row of a table, or for some rows. The histograms are views of the table's buckets."""
        ends = np.cumsum(table.sizes)
        begins = ends - table.sizes.ravel()
        sums_us, maxima_us = table.rows[:, SUMS_US:MAXIMA_US].ravel(), table.rows[:, MAXIMA_US:SIZES].ravel()
        parts = np.stack([begins, ends, sums_us, maxima_us], axis=1).tolist()
        figures = table.rows[:, :SUMS_US].tolist()

        def histogram(number: int) -> Histogram:
            begin, end, sum_us, max_us = parts[number]
            return Histogram(table.buckets[begin:end], table.counts[begin:end], sum_us, max_us) if end > begin else none

        none = Histogram.empty()
        every = []
        for row in range(len(table)) if rows is None else rows:
            _, phase, segment, endpoint, is_open, requests, failures, bytes_received = figures[row]
            response = histogram(row * KINDS + RESPONSE)
            service = histogram(row * KINDS + SERVICE) if is_open else response
            failed = histogram(row * KINDS + FAILED)
            every.append(cls(phase, segment, endpoint, requests, failures, bytes_received, response, service, failed))
        return every
