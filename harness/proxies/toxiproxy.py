"""A proxy of a running Toxiproxy (https://github.com/Shopify/toxiproxy), by its HTTP API."""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import ExitCode, HarnessError
from harness.proxies.conditions import CLEAR, Conditions

_TIMEOUT_S = 10.0
_MOST_BYTES = 16 << 20
_OURS = "harness-"
"""What the names of our toxics begin with."""
_STREAMS = ("upstream", "downstream")
_NOT_FOUND = 404
_EVERYWHERE = ("", "[::]", "0.0.0.0")
"""Addresses to listen on that mean all of the Toxiproxy's machine."""


class ToxiproxyProxy(BaseModel):
    """The proxy ``name`` of the Toxiproxy at ``url``, which listens at ``host`` and ``port``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["toxiproxy"] = "toxiproxy"
    url: str
    name: str
    host: str
    port: int

    def check(self, conditions: Conditions) -> None:
        """Raises :class:`HarnessError` for what no toxic can do."""
        if conditions.loss:
            raise HarnessError("toxiproxy-cannot", name=self.name, key="loss")
        if conditions.closes_listener and conditions.delays:
            raise HarnessError("toxiproxy-cannot", name=self.name, key="refuse")

    def meet(self, conditions: Conditions) -> None:
        """Replace the harness's toxics by these conditions. Raises :class:`HarnessError` if it cannot."""
        self.check(conditions)
        path = f"/proxies/{quote(self.name, safe='')}"
        self._set_enabled(path, enabled=True)
        for toxic in ask_toxiproxy(self.url, "GET", f"{path}/toxics") or ():
            if toxic["name"].startswith(_OURS):
                with _unless_gone():  # whoever has removed it meanwhile: the others are still there
                    ask_toxiproxy(self.url, "DELETE", f"{path}/toxics/{quote(toxic['name'], safe='')}")
        if conditions.closes_listener:
            self._set_enabled(path, enabled=False)
            return
        for kind, stream, attributes in toxics(conditions):
            toxic = {
                "name": _toxic_name(kind, stream),
                "type": kind,
                "stream": stream,
                "toxicity": conditions.share,
                "attributes": attributes,
            }
            ask_toxiproxy(self.url, "POST", f"{path}/toxics", toxic)

    def require(self, conditions: Conditions) -> None:
        """Raise :class:`HarnessError` unless it still is under these conditions: a restart, for example, ends them."""
        known = ask_toxiproxy(self.url, "GET", f"/proxies/{quote(self.name, safe='')}")
        wanted = set() if conditions.closes_listener else {_toxic_name(*each[:2]) for each in toxics(conditions)}
        missing = wanted - {toxic["name"] for toxic in known["toxics"]}
        if missing or known["enabled"] == conditions.closes_listener:
            raise HarnessError("toxiproxy-reset", name=self.name)

    def clear(self) -> None:
        """Make it forward unchanged; harmless if it no longer exists."""
        with _unless_gone():
            self.meet(CLEAR)

    def _set_enabled(self, path: str, *, enabled: bool) -> None:
        # POST: PATCH is known since version 2.6 only.
        ask_toxiproxy(self.url, "POST", path, {"enabled": enabled})


def _toxic_name(kind: str, stream: str) -> str:
    return f"{_OURS}{kind}-{stream}"


def toxics(conditions: Conditions) -> Iterator[tuple[str, str, dict[str, int]]]:
    """Type, stream and attributes of the toxics that make these conditions."""
    if conditions.latency_s or conditions.jitter_s:
        yield (
            "latency",
            "downstream",
            {"latency": round(conditions.latency_s * 1000), "jitter": round(conditions.jitter_s * 1000)},
        )
    for stream in _STREAMS:
        if conditions.bytes_per_s is not None:
            yield "bandwidth", stream, {"rate": max(1, math.ceil(conditions.bytes_per_s / 1000))}
        if conditions.blackhole:
            yield "timeout", stream, {"timeout": 0}
        if conditions.resets_at_once:
            yield "reset_peer", stream, {"timeout": 0}
    if conditions.reset_after:
        yield "limit_data", "downstream", {"bytes": conditions.reset_after}


class _Known(BaseModel):
    """What Toxiproxy says of a proxy, as far as it matters here."""

    listen: str = Field(pattern=r":[0-9]{1,5}$")
    upstream: str


def _known(url: str, response: Any) -> dict[str, _Known]:
    try:
        return TypeAdapter(dict[str, _Known]).validate_python(response)
    except ValidationError as error:
        raise HarnessError("toxiproxy-refused", url=url, status=200, reason="it sent no proxies") from error


def find_toxiproxy(url: str, name: str, upstream: str | None, listen: str) -> tuple[ToxiproxyProxy, bool]:
    """The proxy of that name, and whether it was made now: if there was none, of ``upstream`` and ``listen``.

    Raises :class:`HarnessError` if Toxiproxy is not there or refuses, or if the proxy leads elsewhere.
    """
    known = _known(url, ask_toxiproxy(url, "GET", "/proxies"))
    found = known.get(name)
    if found is None:
        if upstream is None:
            raise HarnessError("toxiproxy-has-no-proxy", name=name, known=sorted(known))
        made = {"name": name, "listen": listen, "upstream": upstream, "enabled": True}
        found = _known(url, {name: ask_toxiproxy(url, "POST", "/proxies", made)})[name]
        is_new = True
    else:
        is_new = False
        if upstream is not None and found.upstream != upstream:
            raise HarnessError("toxiproxy-other-upstream", name=name, upstream=found.upstream, wanted=upstream)
    host, _, port = found.listen.rpartition(":")
    reached = urlsplit(url).hostname if host in _EVERYWHERE else None
    return ToxiproxyProxy(url=url, name=name, host=reached or host.strip("[]"), port=int(port)), is_new


def remove_toxiproxy(proxy: ToxiproxyProxy) -> None:
    """Remove a proxy that :func:`find_toxiproxy` has made; harmless if it no longer exists."""
    with _unless_gone():
        ask_toxiproxy(proxy.url, "DELETE", f"/proxies/{quote(proxy.name, safe='')}")


@contextmanager
def _unless_gone() -> Iterator[None]:
    """Pass over errors that show that the proxy no longer exists. A Toxiproxy that is only silent still has it."""
    try:
        yield
    except HarnessError as error:
        if not isinstance(error.__cause__, ConnectionRefusedError) and error.params.get("status") != _NOT_FOUND:
            raise


def ask_toxiproxy(url: str, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
    """The JSON of the response; None where it has none. Raises :class:`HarnessError`."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 8474, timeout=_TIMEOUT_S)
    try:
        body = None if data is None else json.dumps(data)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException, ValueError) as error:  # a host may be no name
        raise HarnessError(
            "toxiproxy-unreachable", exit_code=ExitCode.BROKEN, url=url, reason=str(error) or type(error).__name__
        ) from error
    finally:
        connection.close()
    if response.status >= 300:
        raise HarnessError(
            "toxiproxy-refused", exit_code=ExitCode.BROKEN, url=url, status=response.status, reason=_reason(text)
        )
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError) as error:
        raise HarnessError("toxiproxy-refused", url=url, status=response.status, reason="it sent no JSON") from error


def _reason(text: bytes) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return text.decode(errors="replace").strip()[:200]
