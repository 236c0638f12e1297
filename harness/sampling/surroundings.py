"""Reads each source of ``[metrics.NAME]`` once per second, in its own thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar
from urllib.parse import urljoin

from harness.errors import HarnessError
from harness.messages import Message, message
from harness.plan.metrics_tables import kind_of
from harness.plan.model.sampling import MetricsSource
from harness.record.database_statements import STATEMENT_TOTALS, StatementTotals
from harness.record.frames import LogWriter
from harness.record.metric_readings import METRIC_READINGS, MetricReading
from harness.record.profiles import Profile
from harness.record.redaction import redacted
from harness.sampling.sampler import During, Sampler, SamplerKind, SamplingContext
from harness.steady_clock import now_s

_Response = TypeVar("_Response")
_Entry = TypeVar("_Entry", MetricReading, StatementTotals)

_PERIOD_S = 1.0
_PATIENCE_S = 3.0
"""How long the end of a run waits for a response; a source that hangs longer is left behind."""


class _Reader(threading.Thread):
    """Reads one source, once a second, until it is stopped."""

    def __init__(
        self, source: MetricsSource, url: str, writer: LogWriter[MetricReading], statements: LogWriter[StatementTotals]
    ) -> None:
        super().__init__(name=f"metrics {source.name}", daemon=True)
        self._name = source.name
        self._source = kind_of(source).open(url, source.series)
        self._writer = writer
        self._statements = statements
        self._orders: SimpleQueue[tuple[int, bool] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._abandoned = False
        self._failure: Message | None = None
        self._failed = 0
        self._reads = 0
        self.notes: list[Message] = []

    def run(self) -> None:
        due_s = time.monotonic()
        while True:
            self._read()
            due_s = max(due_s + _PERIOD_S, time.monotonic())  # a second that was missed is skipped
            if not self._wait_until(due_s):
                break
        self.notes = self._source.missing()
        self._source.close()

    def count_statements(self, phase: int, *, ended: bool) -> None:
        """Record what a database has counted of its statements, as a phase begins or ends."""
        self._orders.put((phase, ended))

    def stop(self) -> None:
        self._orders.put(None)

    def _wait_until(self, due_s: float) -> bool:
        """Wait, and carry out requests meanwhile; False if nothing is left to read."""
        while True:
            try:
                order = self._orders.get(timeout=max(0.0, due_s - time.monotonic()))
            except Empty:
                return True
            if order is None:
                return False
            self._count(*order)

    def result(self, deadline_s: float) -> list[Message]:
        """Its notes, once it has ended. A source that does not respond until ``deadline_s`` is not waited for."""
        self.join(max(0.0, deadline_s - time.monotonic()))
        with self._lock:
            self._abandoned = True
        notes = [*self.notes]
        if self.is_alive():
            notes.append(message("metrics-source-hangs", source=self._name, reads=self._reads))
        if self._failure is not None:
            notes.insert(
                0, message("metrics-source-failed", source=self._name, failed=self._failed, reason=self._failure)
            )
        return notes

    def _count(self, phase: int, ended: bool) -> None:
        statements = self._asked(self._source.statements)
        if statements:
            self._write(self._statements, StatementTotals(now_s(), self._name, phase, ended, statements))

    def _read(self) -> None:
        began_s = now_s()
        values = self._asked(self._source.read)
        if values is None:
            return
        # The server read its values at some time between request and response.
        reading = MetricReading((began_s + now_s()) / 2, self._name, values.gauges, values.counters)
        self._write(self._writer, reading)
        self._reads += 1

    def _asked(self, ask: Callable[[], _Response]) -> _Response | None:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001  (a source that fails costs its metrics, not the run)
            self._fail(error)
            return None

    def _write(self, writer: LogWriter[_Entry], entry: _Entry) -> None:
        with self._lock:
            if not self._abandoned:
                try:
                    writer.write(entry)
                except OSError as error:  # the disk is full; there may be room again later
                    self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failed += 1
        self._failure = self._failure or _reason(error)


def _reason(error: Exception) -> Message:
    if isinstance(error, HarnessError):
        return error.reason()
    return message("metrics-unreadable", error=type(error).__name__, reason=redacted(str(error)))


class SurroundingsSampler(Sampler):
    """Reads all sources of the plan."""

    def __init__(self, context: SamplingContext) -> None:
        super().__init__()
        self._writer = METRIC_READINGS.writer(context.folder.metrics)
        self._statements = STATEMENT_TOTALS.writer(context.folder.statements)
        self._phase: int | None = None
        # In a duet, the build that is judged
        target = context.targets[-1][1]
        self._readers = [
            _Reader(
                source,
                urljoin(target.url, source.url) if source.url.startswith("/") else source.url,
                self._writer,
                self._statements,
            )
            for source in context.settings.metrics
        ]

    def start(self) -> None:
        for reader in self._readers:
            reader.start()

    def begin_phase(self, index: int, name: str) -> None:  # noqa: ARG002
        self._phase = index
        for reader in self._readers:
            reader.count_statements(index, ended=False)

    def end_phase(self) -> None:
        if self._phase is not None:
            for reader in self._readers:
                reader.count_statements(self._phase, ended=True)
        self._phase = None

    def close(self) -> list[Profile]:
        self.end_phase()
        for reader in self._readers:
            reader.stop()
        deadline_s = time.monotonic() + _PATIENCE_S
        for reader in self._readers:
            for note in reader.result(deadline_s):
                self.note(note)
        self._writer.close()
        self._statements.close()
        return []


SURROUNDINGS = SamplerKind(
    name="metrics",
    stream="metrics",
    during=During.WHOLE_RUN,
    create=SurroundingsSampler,
    enabled=lambda settings: bool(settings.metrics),
)
