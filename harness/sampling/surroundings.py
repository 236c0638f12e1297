"""Reads the sources of ``[metrics.NAME]`` once per second, each in a thread of its own, so that none delays another."""

from __future__ import annotations

import threading
import time
from urllib.parse import urljoin

from harness.errors import HarnessError
from harness.messages import Message, message
from harness.plan.metrics_tables import kind_of
from harness.plan.model import MetricsSource
from harness.record.frames import LogWriter
from harness.record.metric_readings import METRIC_READINGS, MetricReading
from harness.record.profiles import Profile
from harness.record.redaction import redacted
from harness.sampling.sampler import During, Sampler, SamplerKind, SamplingContext

_PERIOD_S = 1.0
_PATIENCE_S = 3.0
"""How long the end of a run waits for an answer; a source that hangs longer is left behind."""


class _Reader(threading.Thread):
    """Reads one source until it is told to stop."""

    def __init__(self, source: MetricsSource, url: str, writer: LogWriter[MetricReading]) -> None:
        super().__init__(name=f"metrics {source.name}", daemon=True)
        self._name = source.name
        self._source = kind_of(source).open(url, source.series)
        self._writer = writer
        self._stopping = threading.Event()
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
            if self._stopping.wait(max(0.0, due_s - time.monotonic())):
                break
        self.notes = self._source.missing()
        self._source.close()

    def stop(self) -> None:
        self._stopping.set()

    def result(self, deadline_s: float) -> list[Message]:
        """What to say of it, once it has ended; a source that does not answer until ``deadline_s`` is left behind."""
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

    def _read(self) -> None:
        began_s = time.time()
        try:
            values = self._source.read()
        except Exception as error:  # noqa: BLE001  (a source that fails costs its metrics, not the run)
            self._failed += 1
            self._failure = self._failure or _reason(error)
            return
        # The server looked at its values at some time between question and answer.
        reading = MetricReading((began_s + time.time()) / 2, self._name, values.gauges, values.counters)
        with self._lock:
            if not self._abandoned:
                self._writer.write(reading)
                self._reads += 1


def _reason(error: Exception) -> Message:
    if isinstance(error, HarnessError):
        return error.reason()
    return message("metrics-unreadable", error=type(error).__name__, reason=redacted(str(error)))


class SurroundingsSampler(Sampler):
    """Reads all sources of the plan."""

    def __init__(self, context: SamplingContext) -> None:
        super().__init__()
        self._writer = METRIC_READINGS.writer(context.folder.metrics)
        # In a duet, the build that is judged
        target = context.targets[-1][1]
        self._readers = [
            _Reader(source, urljoin(target.url, source.url) if source.url.startswith("/") else source.url, self._writer)
            for source in context.settings.metrics
        ]

    def start(self) -> None:
        for reader in self._readers:
            reader.start()

    def close(self) -> list[Profile]:
        for reader in self._readers:
            reader.stop()
        deadline_s = time.monotonic() + _PATIENCE_S
        for reader in self._readers:
            for note in reader.result(deadline_s):
                self.note(note)
        self._writer.close()
        return []


SURROUNDINGS = SamplerKind(
    name="metrics",
    stream="metrics",
    during=During.WHOLE_RUN,
    create=SurroundingsSampler,
    enabled=lambda settings: bool(settings.metrics),
)
