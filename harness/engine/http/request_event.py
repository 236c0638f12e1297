"""Records a request, directly in the harness's recorder or through Locust's ``request`` event.

Firing the event costs half as much as the request itself, so it is skipped if the recorder is the only listener.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from harness.engine.http.response import Response
from harness.engine.locust.listeners import sole_recorder


class RequestEvent(NamedTuple):
    """A finished request that is recorded now, or at the end of its ``with`` block."""

    hook: Any
    environment: Any
    """Its ``harness_recorder`` is the :class:`~harness.engine.recorder.Recorder` of a load worker, if it has one."""
    method: str
    name: str
    start_s: float
    """``time.perf_counter``, like ``end_s``."""
    end_s: float
    bytes_received: int
    context: dict[str, Any]
    url: str

    def meta(self, response: Response | None, exception: BaseException | None) -> dict[str, Any]:
        """The arguments of Locust's request event."""
        return {
            "request_type": self.method,
            "name": self.name,
            "context": self.context,
            "response": response,
            "exception": exception,
            "start_time": time.time() - (time.perf_counter() - self.start_s),
            "url": self.url,
            "response_length": self.bytes_received,
            "response_time": (self.end_s - self.start_s) * 1000,
        }

    def record(
        self, response: Response | None, exception: BaseException | None, meta: dict[str, Any] | None = None
    ) -> None:
        """Record the request; ``meta`` is the result of :meth:`meta`, if the scenario may have changed it."""
        if meta is not None:
            self.hook.fire(**{**meta, "exception": exception})
            return
        recorder = sole_recorder(self.hook, self.environment)
        if recorder is None:
            self.hook.fire(**self.meta(response, exception))
            return
        _, _, method, name, start_s, end_s, bytes_received, context, url = self
        recorder.record(method, name, start_s, end_s, bytes_received, exception, response, context, url)
