"""Records a request, directly in the harness's recorder or through Locust's ``request`` event.

Firing the event costs half as much as the request itself, so it is skipped if the recorder is the only listener.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from harness.engine.http.response import Response
from harness.engine.locust.event_hooks import sole_recorder


class Recorder(Protocol):
    """What a load worker sets as ``environment.harness_recorder``. Times come from ``time.perf_counter``."""

    def record(
        self,
        method: str,
        name: str,
        start_perf_s: float,
        end_perf_s: float,
        bytes_received: int,
        exception: BaseException | None,
        response: Response | None,
        context: dict[str, Any],
        url: str,
    ) -> None:
        """Record one request."""


class RequestEvent:
    """A finished request that is recorded now, or at the end of its ``with`` block."""

    __slots__ = ("_bytes", "_context", "_end_s", "_environment", "_event", "_method", "_name", "_start_s", "_url")

    def __init__(
        self,
        event: Any,
        environment: Any,
        method: str,
        name: str,
        start_s: float,
        end_s: float,
        bytes_received: int,
        context: dict[str, Any],
        url: str,
    ) -> None:
        self._event = event
        self._environment = environment
        self._method = method
        self._name = name
        self._start_s = start_s
        self._end_s = end_s
        self._bytes = bytes_received
        self._context = context
        self._url = url

    def meta(self, response: Response | None, exception: BaseException | None) -> dict[str, Any]:
        """The arguments of Locust's request event."""
        return {
            "request_type": self._method,
            "name": self._name,
            "context": self._context,
            "response": response,
            "exception": exception,
            "start_time": time.time() - (time.perf_counter() - self._start_s),
            "url": self._url,
            "response_length": self._bytes,
            "response_time": (self._end_s - self._start_s) * 1000,
        }

    def record(
        self, response: Response | None, exception: BaseException | None, meta: dict[str, Any] | None = None
    ) -> None:
        """Record the request; ``meta`` is the result of :meth:`meta`, if the scenario may have changed it."""
        if meta is not None:
            self._event.fire(**{**meta, "exception": exception})
            return
        recorder: Recorder | None = sole_recorder(self._event, self._environment)
        if recorder is None:
            self._event.fire(**self.meta(response, exception))
            return
        recorder.record(
            self._method,
            self._name,
            self._start_s,
            self._end_s,
            self._bytes,
            exception,
            response,
            self._context,
            self._url,
        )
