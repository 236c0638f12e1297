"""What is recorded of a failed request: a short line to group by, and details of a few."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from geventhttpclient.useragent import CompatResponse

from harness.engine.request_failures import RequestFailure, find_host_not_allowed
from harness.record.redaction import redacted

_BODY_BYTES = 2048
REDACTED_BYTES = 2 * _BODY_BYTES
"""How much is searched for secrets: one at the end of what is recorded must not be cut in half before it is found."""
_FAILURE_LENGTH = 300
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class Failure(NamedTuple):
    """``text`` groups failures; ``code`` is what the harness itself calls one that it found, else empty."""

    text: str
    code: str = ""


def describe_failure(exception: object, response: Any) -> str:
    """A short line by which failures are grouped: ``HTTP 500``, ``ConnectionRefusedError``, or the user's text."""
    return failure_of(exception, response).text


def failure_of(exception: object, response: Any) -> Failure:
    """Why a request failed, in a short line and as a code."""
    status, code = _status(response), ""
    name = type(exception).__name__
    if name in ("LocustBadStatusCode", "HTTPError") and status:
        return Failure(f"HTTP {status}")
    if isinstance(exception, type):
        text = exception.__name__
    elif isinstance(exception, RequestFailure):
        text, code = encodable(exception), exception.kind
    elif not isinstance(exception, BaseException) or name in ("CatchResponseError", "RequestInterrupted"):
        text = encodable(exception)
    elif refusal := find_host_not_allowed(exception):
        text, code = str(refusal), refusal.kind  # alone: its advice must not be cut off
    else:
        text = f"{name}: {encodable(exception)}".rstrip(": ")
    return Failure(" ".join(_ADDRESS.sub("", text).split())[:_FAILURE_LENGTH] or name, code)


def encodable(value: object) -> str:
    """As text that UTF-8 can encode: JSON in a response may contain half a surrogate pair."""
    try:
        return str(value).encode("utf-8", "replace").decode("utf-8")
    except Exception as error:  # noqa: BLE001  (an object of the scenario may raise anything)
        return f"({type(value).__name__} not readable: {type(error).__name__})"


def _status(response: Any) -> int:
    try:
        return int(response.status_code)
    except Exception:  # noqa: BLE001  (it has none, or an object of the scenario raises anything)
        return 0


def failure_detail(exception: object, response: Any, context: Any, url: Any) -> dict[str, str]:
    """What is known of a failed request, as text."""
    detail = {"url": "" if url is None else encodable(url), "error": encodable(exception)}
    if context is not None and (shown := encodable(context)) != "{}":
        detail["context"] = shown
    if status := _status(response):
        detail["status"] = str(status)
    # Reading the body of a broken response may raise whatever the client's parser raises.
    try:
        body = _received_body(response)
    except Exception as error:  # noqa: BLE001
        detail["body"] = encodable(f"(not readable: {error})")
    else:
        if isinstance(body, bytes):
            detail["body"] = body[:REDACTED_BYTES].decode("utf-8", errors="replace")
        elif isinstance(body, str):
            detail["body"] = encodable(body[:REDACTED_BYTES])
    return {key: redacted(value[:REDACTED_BYTES])[:_BODY_BYTES] for key, value in detail.items() if value}


def _received_body(response: Any) -> Any:
    """The body, but of a stream only what was read of it: the rest may never come, and is the scenario's to read."""
    if type(getattr(response, "_raw_headers", None)) is bytes:  # our own client's
        return response.content if response.stream is None else response._content
    if hasattr(response, "_content_consumed"):  # of requests
        return response.content if response._content_consumed else None
    if isinstance(response, CompatResponse):  # of geventhttpclient
        return getattr(response, "_cached_content", None)
    return getattr(response, "content", None)
