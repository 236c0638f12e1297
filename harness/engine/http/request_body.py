"""Encodes ``data=``, ``json=`` and ``files=`` into the body of a request."""

from __future__ import annotations

import json as json_format
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from geventhttpclient.useragent import _encode_multipart_formdata

from harness.engine.http.request_headers import BYTES, FORM, JSON, TEXT

_CHUNK_SIZE = 64 * 1024
_AS_JSON = json_format.JSONEncoder(allow_nan=False)
"""As requests does it; Python would write ``NaN``, which is no JSON."""


class RequestBody(NamedTuple):
    """An encoded body: ``data``, or ``chunks`` that are read while they are sent."""

    payload: Any
    """What ``response.request.body`` returns."""
    data: bytes
    chunks: Iterable[bytes] | None = None
    """A file, generator or the like, instead of ``data``. It can be sent only once."""
    length: int | None = None
    """Bytes of ``chunks``. None if unknown; the body is then sent in the chunked transfer coding."""
    content_type: str | None = None
    """Value of ``Content-Type`` if the scenario sets none."""


NO_BODY = RequestBody(None, b"")


def encode_body(data: Any, json: Any, files: Any) -> RequestBody:
    """Encode a body as geventhttpclient does.

    ``json`` is ignored if there is ``data``. With ``files``, the fields of ``data`` become parts of the form. Raises
    ``TypeError`` or ``ValueError`` if the arguments cannot be encoded.
    """
    content_type = None
    if not data and json is not None:
        data, content_type = _AS_JSON.encode(json), JSON
    if files:
        if isinstance(data, (str, bytes)):
            raise ValueError("with files=, data= must be form fields, not text")
        encoded, content_type = _encode_multipart_formdata(files, data)
        return RequestBody(encoded, encoded, content_type=content_type)
    if not data:
        return NO_BODY if data is None else RequestBody(data, b"")
    if isinstance(data, dict):
        form = urlencode(data).encode()
        return RequestBody(form, form, content_type=FORM)
    if isinstance(data, str):
        text = data.encode()
        return RequestBody(data if content_type else text, text, content_type=content_type or TEXT)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return RequestBody(data, bytes(data), content_type=BYTES)
    if hasattr(data, "read"):
        return RequestBody(data, b"", _read_chunks(data), _remaining_length(data), BYTES)
    if isinstance(data, Iterable):
        return RequestBody(data, b"", _encode_parts(data), None, BYTES)
    raise TypeError(f"cannot send data= of type {type(data).__name__}")


def rewind(body: RequestBody) -> RequestBody | None:
    """The body from its beginning, to be sent again. None if it cannot be read twice."""
    file = body.payload
    if not hasattr(file, "seek"):
        return None
    try:
        file.seek(0)
    except OSError:
        return None
    return encode_body(file, None, None)


def encode_chunked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Apply the chunked transfer coding (RFC 9112, section 7.1)."""
    for chunk in chunks:
        if chunk:
            yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


def _read_chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_SIZE):
        yield chunk.encode() if isinstance(chunk, str) else chunk


def _encode_parts(parts: Iterable[Any]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, str):
            yield part.encode()
        elif isinstance(part, (bytes, bytearray, memoryview)):
            yield bytes(part)
        else:
            raise TypeError(f"items of data= must be bytes or str, not {type(part).__name__}")


def _remaining_length(file: Any) -> int | None:
    """Bytes from the position of a file to its end. None for a pipe, or a file opened as text."""
    try:
        position = file.tell()
        if isinstance(file.read(0), str):
            return None
        end = file.seek(0, os.SEEK_END)
        file.seek(position)
    except (AttributeError, OSError):
        return None
    return int(end) - int(position)
