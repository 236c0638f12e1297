"""Responses recorded later: streams at their end, ``catch_response=True`` after its block."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from gevent import GreenletExit
from locust.contrib.fasthttp import LocustBadStatusCode
from locust.exception import (
    CatchResponseError,
    InterruptTaskSet,
    LocustError,
    RescheduleTask,
    RescheduleTaskImmediately,
    ResponseError,
    StopTest,
    StopUser,
)

from harness.engine.http.request_event import RequestEvent
from harness.engine.http.response import Response
from harness.engine.request_failures import RequestInterrupted

_CONTROL_FLOW = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser, StopTest)
_OUTSIDE_WITH = """\
Tried to set the state of a request outside of its with-block, which is used like this:

with self.client.request(..., catch_response=True) as response:
    response.success()"""


class PendingResponse(Response):
    """A streamed response, recorded when its body has ended or cannot be read, or when the response is dropped."""

    _event: RequestEvent
    _recorded = True

    def attach(self, event: RequestEvent) -> Self:
        """Record ``event`` later."""
        self._event = event
        self._recorded = False
        return self

    def _record(self, exception: BaseException | None, meta: dict[str, Any] | None = None) -> None:
        if not self._recorded:
            self._recorded = True
            self._event.record(self, exception, meta)

    def end_body(self, error: BaseException | None) -> None:
        if isinstance(error, GreenletExit):
            error = RequestInterrupted()
        self.error = self.error or error
        # What has arrived is the reader's, not a sample's.
        unread, self._content = self._content, b""
        self._record(self.error)
        self._content = unread

    def release(self) -> None:
        super().release()
        self._record(self.error)

    def __del__(self) -> None:
        self._record(self.error)


class ResponseContextManager(PendingResponse):
    """A response that the scenario marks with :meth:`success` or :meth:`failure`; otherwise its status decides.

    Without a ``with`` block, it is recorded when nobody holds it any longer.
    """

    _manual_result: bool | BaseException | None = None
    _entered = False
    _meta: dict[str, Any] | None = None

    @property
    def request_meta(self) -> dict[str, Any]:
        """The arguments of Locust's request event. What the block changes in them is recorded as changed."""
        if self._meta is None:
            self._meta = self._event.meta(self, self.error)
        return self._meta

    def __enter__(self) -> ResponseContextManager:
        self._entered = True
        if isinstance(self.error, LocustBadStatusCode):
            self.error.__dict__["response"] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> bool:
        """Record the request. Of the exceptions of the block, only Locust's ``ResponseError`` is suppressed."""
        result = self._manual_result
        if result is not None:
            self._record(None if result is True else result, self._meta)  # type: ignore[arg-type]  # False is never set
            return error is None
        if error is None or isinstance(error, _CONTROL_FLOW):
            # The block ended the task, which says nothing about the request.
            self._record(self.error, self._meta)
            return error is None
        if isinstance(error, ResponseError):
            self._record(error, self._meta)
            return True
        self._record(RequestInterrupted() if isinstance(error, GreenletExit) else error, self._meta)
        return False

    def end_body(self, error: BaseException | None) -> None:
        self.error = self.error or error

    def release(self) -> None:
        Response.release(self)

    def success(self) -> None:
        """Mark the request as successful, whatever its status."""
        self._mark(True)

    def failure(self, exc: BaseException | str) -> None:
        """Mark the request as failed, with an exception or a reason."""
        self._mark(exc if isinstance(exc, Exception) else CatchResponseError(exc))

    def _mark(self, result: bool | BaseException) -> None:
        if not self._entered:
            raise LocustError(_OUTSIDE_WITH)
        self._manual_result = result

    def raise_for_status(self) -> None:
        """Raise the error of a request that has failed, or has been marked as failed."""
        if not self._manual_result:
            super().raise_for_status()
        elif isinstance(self._manual_result, Exception):
            raise self._manual_result
