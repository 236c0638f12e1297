"""``catch_response=True``: a ``with`` block decides whether the request succeeded, then it is recorded."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from gevent import GreenletExit
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


class ResponseContextManager(Response):
    """A response that the scenario marks with :meth:`success` or :meth:`failure`; otherwise its status decides."""

    _event: RequestEvent
    _manual_result: bool | BaseException | None = None
    _entered = False
    _meta: dict[str, Any] | None = None

    def attach(self, event: RequestEvent) -> ResponseContextManager:
        """Record ``event`` when the block ends."""
        self._event = event
        return self

    @property
    def request_meta(self) -> dict[str, Any]:
        """The arguments of Locust's request event. What the block changes in them is recorded as changed."""
        if self._meta is None:
            self._meta = self._event.meta(self, self.error)
        return self._meta

    def __enter__(self) -> ResponseContextManager:
        self._entered = True
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
            self._record(None if result is True else result)  # type: ignore[arg-type]  # False is never set
            return error is None
        if error is None or isinstance(error, _CONTROL_FLOW):
            # The block ended the task, which says nothing about the request.
            self._record(self.error)
            return error is None
        if isinstance(error, ResponseError):
            self._record(error)
            return True
        self._record(RequestInterrupted() if isinstance(error, GreenletExit) else error)
        return False

    def _record(self, exception: BaseException | None) -> None:
        self._event.record(self, exception, self._meta)

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
