"""The course of a run, as the load master keeps it: its clock, its journal, and whether it is to stop."""

from __future__ import annotations

import logging
import time

from gevent.event import Event as Signal

from harness.errors import Message
from harness.record.events import Event, EventKind
from harness.record.frames import Frame, FrameWriter
from harness.record.journal_entries import EndReason
from harness.record.redaction import redacted

logger = logging.getLogger(__name__)


class RunState:
    """What all that happens in a run is told to, and reads the time from."""

    def __init__(self, journal: FrameWriter) -> None:
        self._journal = journal
        self.began_s = time.perf_counter()
        """Second 0 of the run, by ``perf_counter``; set anew when it begins."""
        self.stop_reason: EndReason | None = None
        self.fault: OSError | None = None
        """Why the journal takes nothing more."""
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
        """Wait for that moment of the run; False where the run is to stop before."""
        return not self.wait(max(0.0, at_s - self.now_s()))

    def write(self, frame: Frame) -> None:
        """Append to the journal. Where that fails (a full disk, say) the run ends: what follows would be lacking.

        Nothing is raised: this is called where Locust would take it for a listener's fault.
        """
        if self.fault is not None:
            return
        try:
            self._journal.write(frame)
        except OSError as fault:
            logger.error("the journal cannot be written: %s", fault)
            self.fault = fault
            self.stop("error")

    def event(self, kind: EventKind, message: Message, count: int = 0) -> None:
        """Record what the report should mention, without secrets."""
        event = Event(self.now_s(), kind, message.map_texts(redacted), count)
        logger.info("%s: %s", kind, event.message)
        self.write(event.to_frame())
