"""Encodes ``data=``, ``json=`` and ``files=`` into the body of a request."""

from __future__ import annotations

import json as json_format
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from urllib3 import encode_multipart_formdata
from urllib3.fields import RequestField

from harness.engine.http.request_headers import BYTES, FORM, JSON, TEXT

_CHUNK_SIZE = 64 * 1024


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
        data, content_type = json_format.dumps(json), JSON
    if files:
        return _multipart(files, data)
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


def _multipart(files: Any, data: Any) -> RequestBody:
    if isinstance(data, (str, bytes)):
        raise ValueError("with files=, data= must be form fields, not text")
    fields: list[RequestField] = []
    for name, values in _pairs(data or {}):
        is_list = hasattr(values, "__iter__") and not isinstance(values, (str, bytes))
        for value in values if is_list else [values]:
            if value is not None:
                content = value if isinstance(value, bytes) else str(value)
                fields.append(_part(_text(name), content, None, None, None))
    boundary = None
    for name, file in _pairs(files):
        filename, content, content_type, headers, own_boundary = _unpack_file(name, file)
        boundary = boundary or own_boundary
        if content is not None:
            fields.append(_part(_text(name), content, filename, content_type, headers))
    encoded, content_type = encode_multipart_formdata(fields, boundary or secrets.token_hex(16))
    return RequestBody(encoded, encoded, content_type=content_type)


def _unpack_file(name: Any, file: Any) -> tuple[str | None, Any, str | None, Any, str | None]:
    """``file`` is the content, or ``(filename, content[, content type[, headers[, boundary]]])``."""
    if isinstance(file, (tuple, list)):
        filename, content, *more = file
        content_type, headers, boundary = [*more, None, None, None][:3]
    else:
        content, content_type, headers, boundary = file, None, None, None
        path = getattr(file, "name", None)
        filename = Path(path).name if isinstance(path, str) and path[:1] != "<" else name
    if hasattr(content, "read"):
        content = content.read()
    return filename, content, content_type, headers, boundary


def _part(name: str, content: Any, filename: str | None, content_type: str | None, headers: Any) -> RequestField:
    field = RequestField(name, content, filename=filename, headers=dict(headers or {}))
    field.make_multipart(content_type=content_type)
    return field


def _pairs(fields: Any) -> list[tuple[Any, Any]]:
    return list(fields.items() if isinstance(fields, Mapping) else fields)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
