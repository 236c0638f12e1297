"""Has Locust's own HTTP clients send a ``traceparent`` with the requests that are traced."""

from __future__ import annotations

from typing import Any

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

from harness.engine.http.tracing import HEADER, RequestSampler

_POSITIONAL = 1
"""Of a call with more positional arguments than ``name``, one may be the headers: it is not traced."""


def trace_locust_clients(sampler: RequestSampler) -> None:
    """Trace the requests of ``HttpUser`` and ``FastHttpUser`` in this process, as far as ``sampler`` picks them."""
    for session in (HttpSession, FastHttpSession):
        setattr(session, "request", _traced(session.request, sampler))  # noqa: B010  (a method, for mypy)


def _traced(request: Any, sampler: RequestSampler) -> Any:
    def send(self: Any, method: str, url: str, *positional: Any, **options: Any) -> Any:
        traceparent = sampler.pick() if len(positional) <= _POSITIONAL else None
        headers = options.get("headers") or {}
        if traceparent is not None and not any(name.lower() == HEADER for name in headers):
            options["headers"] = {**headers, HEADER: traceparent}
            options["context"] = {**(options.get("context") or {}), HEADER: traceparent}
        return request(self, method, url, *positional, **options)

    return send
