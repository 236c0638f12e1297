"""Records requests of Locust's own clients that Locust forgets.

These are cut off with their user, or their ``with`` block raises, or the client itself raises on a response: a redirect
to another scheme, say, or an unknown content coding. The target has served them, or is about to: without them, the
counts would not agree with its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gevent import GreenletExit, Timeout, getcurrent
from greenlet import greenlet
from locust.clients import HttpSession, LocustHttpAdapter
from locust.clients import ResponseContextManager as HttpResponseContextManager
from locust.contrib.fasthttp import FastHttpSession, LocustUserAgent, ResponseContextManager
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    ResponseError,
    StopTest,
    StopUser,
)

from harness.engine.request_failures import RequestInterrupted

Method = Callable[..., Any]

_CONTROL_FLOW = (InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopUser, StopTest)


def record_forgotten_requests(under_way: set[greenlet]) -> None:
    """Apply these patches. ``under_way`` is the recorder's set of greenlets with an unrecorded request."""
    answered: set[greenlet] = set()
    for session in (FastHttpSession, HttpSession):
        wrap(session, "request", partial(_recorded_when_it_raises, under_way, answered))
    wrap(LocustUserAgent, "_urlopen", partial(_noting_the_response, answered))
    wrap(LocustHttpAdapter, "send", partial(_noting_the_response, answered))
    for manager in (ResponseContextManager, HttpResponseContextManager):
        wrap(manager, "__exit__", _recorded_when_block_raises)
        wrap(manager, "_report_request", _reported_with_itself)
        manager.__del__ = _dropped  # type: ignore[union-attr]


def wrap(owner: object, name: str, wrapper: Callable[[Method], Method]) -> None:
    """Replace a method by what ``wrapper`` makes of it."""
    setattr(owner, name, wrapper(getattr(owner, name)))


def _noting_the_response(answered: set[greenlet], send: Method) -> Method:
    def send_and_note(self: Any, *rest: Any, **more: Any) -> Any:
        response = send(self, *rest, **more)
        answered.add(getcurrent())
        return response

    return send_and_note


def _recorded_when_it_raises(under_way: set[greenlet], answered: set[greenlet], request: Method) -> Method:
    def request_and_record(self: Any, method: str, url: Any, name: str | None = None, *rest: Any, **more: Any) -> Any:
        current = getcurrent()
        under_way.add(current)
        start_time, begun = time.time(), time.perf_counter()
        try:
            response = request(self, method, url, name, *rest, **more)
            if getattr(response, "_catch_response", False):
                # Circles would keep it until garbage is collected: the error's traceback leads to the task's variables.
                response.request_meta["response"] = None
                for known in filter(None, (getattr(response, "error", None), response.request_meta["exception"])):
                    known.__traceback__ = None
            return response
        except (GreenletExit, Timeout, Exception) as error:
            # Already recorded: a listener of the request's event raised or was interrupted.
            if current not in under_way:
                raise
            # Not sent: the scenario's arguments are wrong.
            if isinstance(error, Exception) and current not in answered:
                raise
            self.request_event.fire(
                request_type=method,
                name=name or self.request_name or url,
                response_time=(time.perf_counter() - begun) * 1000,
                response_length=0,
                response=None,
                context=more.get("context", {}),
                exception=RequestInterrupted() if isinstance(error, GreenletExit) else error,
                start_time=start_time,
                url=url,
            )
            raise
        finally:
            under_way.discard(current)
            answered.discard(current)

    return request_and_record


def _dropped(self: Any) -> None:
    """Record a response of ``catch_response=True`` that had no ``with`` block."""
    if getattr(self, "_catch_response", False) and not self._entered:
        self._entered = True  # it may be called again
        self.__exit__(None, None, None)


def _reported_with_itself(report: Method) -> Method:
    def report_with_itself(self: Any, *rest: Any) -> None:
        self.request_meta["response"] = self
        report(self, *rest)

    return report_with_itself


def _recorded_when_block_raises(leave: Method) -> Method:
    def leave_recorded(self: Any, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> Any:
        if self._manual_result is None and error is not None and not isinstance(error, ResponseError):
            if isinstance(error, _CONTROL_FLOW):
                # The block ended the task, not the request: the response is judged on its own.
                leave(self, None, None, None)
                return False
            self.request_meta["exception"] = RequestInterrupted() if isinstance(error, GreenletExit) else error
            self._report_request()
        return leave(self, kind, error, trace)

    return leave_recorded
