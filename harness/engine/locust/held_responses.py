"""Records the responses that a scenario still holds at the end, so that no request is lost."""

from __future__ import annotations

import gc

from locust.clients import ResponseContextManager as HttpResponseContextManager
from locust.contrib.fasthttp import ResponseContextManager

from harness.engine.http.catch_response import PendingResponse

_RECORDED_LATER = (PendingResponse, ResponseContextManager, HttpResponseContextManager)


def record_held_responses() -> None:
    """Treat them as dropped. They are found here, because to list each one would cost each request."""
    for found in gc.get_objects():
        # By type, because isinstance() asks an object that stands for another one, which may be code of the scenario.
        if issubclass(type(found), _RECORDED_LATER):
            found.__del__()
