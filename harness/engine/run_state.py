"""The state of a run in the load master: its clock, its journal, and whether it is to stop."""

from __future__ import annotations

import logging
import time
from typing import Any

from gevent.event import Event as Signal

from harness.messages import Message
from harness.record.frames import Frame, FrameWriter
from harness.record.journal_entries import EndReason
from harness.record.redaction import redacted
from harness.record.run_events import Event, EventKind

logger = logging.getLogger(__name__)


class RunState:
    """Shared by all parts of the load master."""

    def __init__(self, journal: FrameWriter) -> None:
        self._journal = journal
        self.began_s = time.perf_counter()
        """Second 0 of the run, by ``perf_counter``; set again when it begins."""
        self.stop_reason: EndReason | None = None
        self.journal_error: OSError | None = None
        """Why the journal can no longer be written."""
        self._stop = Signal()

    def now_s(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.began_s

    def stop(self, reason: EndReason) -> None:
        """The run is to end; the first reason counts."""
        self.stop_reason = self.stop_reason or reason
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether the run is to end."""
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait; True as soon as the run is to end."""
        return bool(self._stop.wait(seconds))

    def wait_until(self, at_s: float) -> bool:
        """Wait for that moment of the run; False if the run is to stop before."""
        return not self.wait(max(0.0, at_s - self.now_s()))

    def record(self, kind: str, **fields: Any) -> None:
        """Append a frame of that kind to the journal."""
        self.write({"kind": kind, **fields})

    def write(self, frame: Frame) -> None:
        """Append to the journal. If that fails (a full disk, say), the run ends, because what follows would be missing.

        Nothing is raised: some callers run where Locust would blame a listener of the scenario.
        """
        if self.journal_error is not None:
            return
        try:
            self._journal.write(frame)
        except OSError as error:
            logger.error("the journal cannot be written: %s", error)
            self.journal_error = error
            self.stop("error")

    def event(self, kind: EventKind, message: Message, count: int = 0) -> None:
        """Record what the report should mention, without secrets."""
        event = Event(self.now_s(), kind, message.map_texts(redacted), count)
        logger.info("%s: %s", kind, event.message)
        self.write(event.to_frame())
