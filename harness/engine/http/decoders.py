"""Decodes content codings (RFC 9110, section 8.4.1), with a limit against compression bombs."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Any

import brotli

from harness.engine.request_failures import MalformedResponse, ResponseTooLarge
from harness.messages import message

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor, ZstdError
else:
    from backports.zstd import ZstdDecompressor, ZstdError

_MAX_STEP_BYTES = 1024 * 1024


class Decoder:
    """Decodes a body that arrives in chunks."""

    def __init__(self, codings: list[str], limit: int) -> None:
        """``codings`` are the values of ``Content-Encoding``; :meth:`decode` returns ``limit`` bytes at most.

        Raises :class:`MalformedResponse` if the harness does not know them.
        """
        names = [
            name for line in codings for part in line.split(",") if (name := part.strip().lower()) not in _IDENTITY
        ]
        if len(names) > _MAX_CODINGS:  # each takes memory as soon as it is created
            raise MalformedResponse(message("too-many-content-codings", limit=_MAX_CODINGS))
        self._codings: list[tuple[str, _Coding]] = []
        for name in reversed(names):
            make = _CODINGS.get(name)
            if make is None:
                raise MalformedResponse(message("unknown-content-coding", supported=", ".join(_CODINGS)))
            self._codings.append((name, make()))
        self._limit = limit
        self._begun = False

    def decode(self, data: bytes, *, last: bool) -> bytes:
        """As much content as ``data`` and what came before it allow.

        An empty body, as after HEAD or with status 304, is empty in every coding. Raises :class:`ResponseTooLarge`, and
        :class:`MalformedResponse`, also if ``last`` data do not end the content.
        """
        self._begun = self._begun or bool(data)
        for name, coding in self._codings:
            try:
                data = self._decode_with(coding, data)
            except (zlib.error, brotli.error, ZstdError, EOFError):
                raise MalformedResponse(message("invalid-content", coding=name)) from None
            if last and self._begun and not coding.ended:
                raise MalformedResponse(message("truncated-content", coding=name))
        return data

    def _decode_with(self, coding: _Coding, data: bytes) -> bytes:
        out: list[bytes] = []
        left = self._limit
        while part := coding.step(data):
            data = b""
            left -= len(part)
            if left < 0:
                raise ResponseTooLarge
            out.append(part)
        return b"".join(out)


class _Zlib:
    """gzip, also of several members, and deflate with a zlib header or without one, as many servers send it."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._inflate: Any = zlib.decompressobj(window_bits)
        self._begun = False

    @property
    def ended(self) -> bool:
        return bool(self._inflate.eof)

    def step(self, data: bytes) -> bytes:
        data = self._inflate.unconsumed_tail + data
        while True:
            if self._inflate.eof:
                data = self._inflate.unused_data + data
                if self._window_bits != _GZIP or not data.startswith(b"\x1f\x8b"):
                    return b""  # anything else after the end is padding
                self._inflate = zlib.decompressobj(_GZIP)
            if not data:
                return b""
            part = self._inflated(data)
            if part or not (self._inflate.eof and self._inflate.unused_data):
                return part
            data = b""

    def _inflated(self, data: bytes) -> bytes:
        try:
            part = self._inflate.decompress(data, _MAX_STEP_BYTES)
        except zlib.error:
            if self._begun or self._window_bits != zlib.MAX_WBITS:
                raise
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            part = self._inflate.decompress(data, _MAX_STEP_BYTES)
        self._begun = True
        return bytes(part)


class _Brotli:
    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    @property
    def ended(self) -> bool:
        return bool(self._decompressor.is_finished())

    def step(self, data: bytes) -> bytes:
        if self.ended:
            return b""
        return bytes(self._decompressor.process(data, output_buffer_limit=_MAX_STEP_BYTES))


class _Zstd:
    """zstd, also of several frames (RFC 8878, section 3.1)."""

    def __init__(self) -> None:
        self._decompressor = ZstdDecompressor()

    @property
    def ended(self) -> bool:
        return self._decompressor.eof

    def step(self, data: bytes) -> bytes:
        if self._decompressor.eof:
            data = self._decompressor.unused_data + data
            if not data:
                return b""
            self._decompressor = ZstdDecompressor()
        elif not data and self._decompressor.needs_input:
            return b""
        return self._decompressor.decompress(data, _MAX_STEP_BYTES)


_Coding = _Zlib | _Brotli | _Zstd
"""One content coding.

``step`` takes new bytes, or none to continue. It returns about :data:`_MAX_STEP_BYTES` at most, and nothing if it needs
more input.
"""
_GZIP = 16 + zlib.MAX_WBITS
_MAX_CODINGS = 4
_IDENTITY = ("", "identity")
_CODINGS: dict[str, Callable[[], _Coding]] = {
    "gzip": lambda: _Zlib(_GZIP),
    "x-gzip": lambda: _Zlib(_GZIP),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
    "zstd": _Zstd,
}
