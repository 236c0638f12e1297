"""``harness.expect(response)``: conditions on a response, as checks counted by name."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from harness.engine.checks import Noted, recorder
from harness.engine.json_schema import first_breach
from harness.errors import HarnessError
from harness.quantities import parse_duration

_UNREAD = object()
_NO_RESPONSE = "no response"
_NOT_JSON = "the body is not JSON"
_SHOWN = 80


def expect(response: Any, name: str | None = None) -> Expectation:
    """Checks of a response: ``harness.expect(response).status(200).json("total", 5).within("200ms")``.

    Each condition counts as a check of its own. With a ``name``, all of them are one check, which passes if all hold.
    A failed check does not make the request fail, unless :meth:`Expectation.or_fail` follows.
    """
    return Expectation(response, name)


class Expectation:
    """What is expected of one response. True if all that was checked so far holds."""

    __slots__ = ("_body", "_failed", "_name", "_noted", "_response", "_times")

    def __init__(self, response: Any, name: str | None) -> None:
        self._response = response
        self._name = name
        self._body: Any = _UNREAD
        self._times: tuple[float, float] | None = None
        self._noted: Noted | None = None
        """Of a named expectation: where it was noted as passed."""
        self._failed = ""
        """The name of the first check that failed."""

    def __bool__(self) -> bool:
        return not self._failed

    def status(self, *expected: int) -> Self:
        """The status is one of these; without any, it is 2xx."""
        status = getattr(self._response, "status_code", 0) or 0
        if status in expected if expected else 200 <= status < 300:
            return self._passed(_status_name(expected))
        return self._fails(_status_name(expected), f"status {status}" if status else _NO_RESPONSE)

    def within(self, limit: str | float) -> Self:
        """The headers arrived within this time after the request was sent: ``"200ms"``, or seconds."""
        name, most_s = _limit(limit)
        took_s = _took_s(self._response)
        if took_s is not None and took_s <= most_s:
            return self._passed(name)
        return self._fails(name, _NO_RESPONSE if took_s is None else f"{1000 * took_s:.0f} ms")

    def json(self, path: str, expected: Any = _UNREAD) -> Self:
        """The JSON of the response has something at ``path``, such as ``items.0.price``.

        With ``expected``, it is that value; of a function, the function returns true for it.
        """
        name = f"json {path}"
        try:
            found = self._json()
            for key in path.split("."):
                found = found[int(key) if isinstance(found, list) else key]
        except (LookupError, TypeError, ValueError):
            return self._fails(name, self._why_not_json() if self._body is _UNREAD else f"there is no {path}")
        if expected is _UNREAD or (expected(found) if callable(expected) else found == expected):
            return self._passed(name)
        meant = "" if callable(expected) else f", not {_short(expected)}"
        return self._fails(name, f"{path} is {_short(found)}{meant}")

    def json_schema(self, schema: Mapping[str, Any] | str | Path) -> Self:
        """The JSON of the response is valid under a JSON Schema, or one in a file."""
        try:
            value = self._json()
        except ValueError:
            return self._fails("json schema", self._why_not_json())
        breach = first_breach(schema, value)
        return self._passed("json schema") if breach is None else self._fails("json schema", breach)

    def that(self, name: str, ok: Any, detail: str = "") -> Self:
        """``ok`` is true: a check of that name."""
        return self._passed(name) if ok else self._fails(name, detail)

    def or_fail(self) -> Self:
        """Make the request fail if a check before this one failed.

        Raises :class:`HarnessError` if the response was not requested with ``catch_response=True``.
        """
        if not any(kind.__name__ == "ResponseContextManager" for kind in type(self._response).__mro__):
            raise HarnessError("expect-needs-catch-response")
        if self._failed:
            self._response.failure(f"check failed: {self._failed}")
        return self

    def _json(self) -> Any:
        """Raises ``ValueError`` if the body is not JSON."""
        if self._body is _UNREAD:
            try:
                body = self._response.json()
                if _may_be_no_number(self._response.content):
                    json.dumps(body, allow_nan=False)
                self._body = body
            except Exception as error:  # (each client raises what it likes if no response arrived)
                raise ValueError(_NOT_JSON) from error
        return self._body

    def _why_not_json(self) -> str:
        return _NOT_JSON if getattr(self._response, "status_code", 0) else _NO_RESPONSE

    def _passed(self, name: str) -> Self:
        counted = recorder()
        if counted is None:
            return self
        if self._name is None:
            counted.note(name, True, *(self._times or self._take_times()))
        elif self._noted is None and not self._failed:
            self._noted = counted.note(self._name, True, *(self._times or self._take_times()))
        return self

    def _fails(self, name: str, detail: str) -> Self:
        if self._name is not None:
            if self._failed:  # a named expectation fails once
                return self
            name, detail = self._name, f"{name}: {detail}" if detail else name
        self._failed = self._failed or name
        counted = recorder()
        if counted is None:
            return self
        times = self._times or self._take_times()
        if self._noted is None:
            counted.note(name, False, *times, detail)
        else:
            counted.turn(self._noted, name, *times, detail)
        return self

    def _take_times(self) -> tuple[float, float]:
        """When the request was sent and when it was first checked (``perf_counter``)."""
        now_s = time.perf_counter()
        self._times = (now_s - (_took_s(self._response) or 0.0), now_s)
        return self._times


def _may_be_no_number(content: bytes) -> bool:
    """Whether a body may have what Python reads and JSON has not."""
    return b"NaN" in content or b"Infinity" in content


def _took_s(response: Any) -> float | None:
    """How long the response took to arrive, of any client; None if it did not."""
    took_s: float | None = getattr(response, "elapsed_s", -1.0)  # the harness's own client has it
    if took_s != -1.0:
        return took_s
    elapsed = getattr(response, "elapsed", None)
    return None if elapsed is None else float(elapsed.total_seconds())


@lru_cache(256)
def _status_name(expected: tuple[int, ...]) -> str:
    return f"status is {' or '.join(map(str, expected)) or '2xx'}"


@lru_cache(256)
def _limit(limit: str | float) -> tuple[str, float]:
    """The name of a check against this limit, and the limit in seconds."""
    return f"within {limit}", parse_duration(limit)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
