"""The body of a request: from ``data=``, ``json=`` and ``files=`` to bytes, or to chunks that are sent as they come."""

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
    """``content_type`` is what the fields of the request say if the scenario does not."""

    payload: Any
    """As ``response.request.body`` shows it."""
    data: bytes
    chunks: Iterable[bytes] | None = None
    """Instead of ``data``: a file, or what else is read while it is sent. Can be sent once."""
    length: int | None = None
    """Of ``chunks``, in bytes; None: not known, so it is sent chunked."""
    content_type: str | None = None


NO_BODY = RequestBody(None, b"")


def encode_body(data: Any, json: Any, files: Any) -> RequestBody:
    """As geventhttpclient encodes them; ``json`` counts only without ``data``, ``files`` take ``data``'s fields in."""
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
        return RequestBody(data, b"", _encode_chunks(data), None, BYTES)
    raise TypeError(f"data= cannot be sent: {type(data).__name__}")


def rewind(body: RequestBody) -> RequestBody | None:
    """A body that was sent in chunks, to be sent again from its beginning; None where it has gone."""
    file = body.payload
    if not hasattr(file, "seek"):
        return None
    try:
        file.seek(0)
    except OSError:
        return None
    return encode_body(file, None, None)


def encode_chunked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """``chunks`` in the chunked transfer coding (RFC 9112, section 7.1)."""
    for part in chunks:
        if part:
            yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def _read_chunks(file: Any) -> Iterator[bytes]:
    while block := file.read(_CHUNK_SIZE):
        yield block.encode() if isinstance(block, str) else block


def _encode_chunks(chunks: Iterable[Any]) -> Iterator[bytes]:
    for part in chunks:
        if isinstance(part, str):
            yield part.encode()
        elif isinstance(part, (bytes, bytearray, memoryview)):
            yield bytes(part)
        else:
            raise TypeError(f"the chunks of data= must be bytes or text, not {type(part).__name__}")


def _remaining_length(file: Any) -> int | None:
    """Bytes from where a file stands to its end; None where it has no size, as a pipe, or is read as text."""
    try:
        at = file.tell()
        if isinstance(file.read(0), str):
            return None
        end = file.seek(0, os.SEEK_END)
        file.seek(at)
    except (AttributeError, OSError):
        return None
    return int(end) - int(at)


def _multipart(files: Any, data: Any) -> RequestBody:
    if isinstance(data, (str, bytes)):
        raise ValueError("with files=, data= must be fields, not text")
    fields: list[RequestField] = []
    for name, values in _pairs(data or {}):
        several = values if hasattr(values, "__iter__") and not isinstance(values, (str, bytes)) else [values]
        for value in several:
            if value is not None:
                content = value if isinstance(value, bytes) else str(value)
                fields.append(_part(_text(name), content, None, None, None))
    boundary = None
    for name, file in _pairs(files):
        filename, content, content_type, extra, own_boundary = _file(name, file)
        boundary = boundary or own_boundary
        if content is not None:
            fields.append(_part(_text(name), content, filename, content_type, extra))
    encoded, content_type = encode_multipart_formdata(fields, boundary or secrets.token_hex(16))
    return RequestBody(encoded, encoded, content_type=content_type)


def _file(name: Any, given: Any) -> tuple[str | None, Any, str | None, Any, str | None]:
    """``content``, or ``(filename, content[, content type[, fields[, boundary]]])``."""
    if isinstance(given, (tuple, list)):
        filename, content, *more = given
        content_type, extra, boundary = [*more, None, None, None][:3]
    else:
        content, content_type, extra, boundary = given, None, None, None
        path = getattr(given, "name", None)
        filename = Path(path).name if isinstance(path, str) and path[:1] != "<" else name
    if hasattr(content, "read"):
        content = content.read()
    return filename, content, content_type, extra, boundary


def _part(name: str, content: Any, filename: str | None, content_type: str | None, extra: Any) -> RequestField:
    field = RequestField(name, content, filename=filename, headers=dict(extra or {}))
    field.make_multipart(content_type=content_type)
    return field


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    return list(given.items() if isinstance(given, Mapping) else given)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
