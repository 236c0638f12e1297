"""Remembers what user code logged last: if it then ends or fails the run, that line says why."""

from __future__ import annotations

import logging

from harness.engine.scenario.child_result import one_line
from harness.messages import Message, message

_RECENT_S = 1.0
"""Plugins wait a little between the line and the end, so that others can write what they have."""


class LastWords(logging.Handler):
    """Add it to the root logger. Of several lines, the last of the highest level counts."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._record: logging.LogRecord | None = None

    def emit(self, record: logging.LogRecord) -> None:
        kept = self._record
        if not record.name.startswith(("harness.", "locust.")) and (
            kept is None or record.levelno >= kept.levelno or record.created - kept.created > _RECENT_S
        ):
            self._record = record

    def since(self, at_s: float) -> Message | str:
        """The end of a sentence, about what was logged after ``at_s`` (``time.time()``) or just before, or nothing."""
        if self._record is None or self._record.created < at_s - _RECENT_S:
            return ""
        try:
            return message("scenario-logged", line=one_line(self._record.getMessage()))
        except Exception:  # noqa: BLE001  (its arguments do not fit, which the log says already)
            return ""
