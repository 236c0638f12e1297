"""What is recorded of a failed request: the short line that groups failures, and the detail of a few of them."""

from __future__ import annotations

import re
from typing import Any

from harness.engine.request_failures import RequestFailure, find_host_not_allowed
from harness.record.redaction import redacted

_BODY_BYTES = 2048
REDACTED_BYTES = 2 * _BODY_BYTES
"""How much is searched for secrets: one at the end of what is recorded must not be cut in half before it is found."""
_FAILURE_LENGTH = 300
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def describe_failure(exception: BaseException | str, response: Any) -> str:
    """A short line by which failures are grouped: ``HTTP 500``, ``ConnectionRefusedError``, or the user's text."""
    status = getattr(response, "status_code", 0)
    name = type(exception).__name__
    if name in ("LocustBadStatusCode", "HTTPError") and status:
        return f"HTTP {status}"
    if isinstance(exception, (str, RequestFailure)) or name in ("CatchResponseError", "RequestInterrupted"):
        text = str(exception)
    elif refusal := find_host_not_allowed(exception):
        text = str(refusal)  # alone: the verdict searches for it, and its hint must not be cut off
    else:
        text = f"{name}: {_ADDRESS.sub('', str(exception))}".rstrip(": ")
    return " ".join(encodable(text).split())[:_FAILURE_LENGTH] or name


def encodable(value: object) -> str:
    """As text that UTF-8 can encode: JSON in a response may contain half a surrogate pair."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def failure_detail(exception: BaseException | str, response: Any, context: Any, url: Any) -> dict[str, str]:
    """What is known of a failed request, as text."""
    detail = {"url": encodable(url or ""), "error": encodable(exception)}
    if context:
        detail["context"] = encodable(context)
    status = getattr(response, "status_code", None)
    if status:
        detail["status"] = str(status)
    # Reading the body of a broken response may raise whatever the client's parser raises.
    try:
        body = getattr(response, "content", None)
    except Exception as error:  # noqa: BLE001
        detail["body"] = encodable(f"(not readable: {error})")
    else:
        if isinstance(body, bytes):
            detail["body"] = body[:REDACTED_BYTES].decode("utf-8", errors="replace")
        elif isinstance(body, str):
            detail["body"] = encodable(body[:REDACTED_BYTES])
    return {key: redacted(value[:REDACTED_BYTES])[:_BODY_BYTES] for key, value in detail.items() if value}
