"""``data=``, ``json=`` and ``files=`` are encoded as in geventhttpclient."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from harness.engine.http.request_body import NO_BODY, encode_body, encode_chunked, rewind

FORM = "application/x-www-form-urlencoded; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("data", "json", "expected", "content_type"),
    [
        ("é", None, "é".encode(), TEXT),
        (b"\0", None, b"\0", "application/octet-stream"),
        ({"a": "b c", "d": 1}, None, b"a=b+c&d=1", FORM),
        (None, {"a": "é"}, rb'{"a": "\u00e9"}', "application/json"),
        (None, 0, b"0", "application/json"),
        ("data", {"not": "this"}, b"data", TEXT),
        ("", {"this": 1}, b'{"this": 1}', "application/json"),
    ],
)
def test_text_fields_and_json_are_encoded_at_once(data: Any, json: Any, expected: bytes, content_type: str) -> None:
    body = encode_body(data, json, None)
    assert (body.data, body.content_type, body.chunks) == (expected, content_type, None)


@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_a_number_that_json_has_not_is_never_sent(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode_body(None, {"total": number}, None)


@pytest.mark.parametrize("nothing", [None, "", b"", {}])
def test_empty_data_is_not_a_body(nothing: Any) -> None:
    assert encode_body(nothing, None, None).data == NO_BODY.data
    assert encode_body(nothing, None, None).content_type is None


def test_a_file_is_sent_from_its_position(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.read(4)
        body = encode_body(file, None, None)
        assert body.length == 6
        assert body.chunks is not None
        assert b"".join(body.chunks) == b"456789"
        again = rewind(body)
        assert again is not None
        assert again.length == 10


def test_data_of_unknown_length_is_sent_chunked() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as end:
        end.write(b"through a pipe")
        end.close()
        body = encode_body(pipe, None, None)
        assert body.length is None
        assert body.chunks is not None
        assert b"".join(encode_chunked(body.chunks)) == b"e\r\nthrough a pipe\r\n0\r\n\r\n"
        assert rewind(body) is None
    assert encode_body(io.StringIO("é"), None, None).length is None, "its length is in characters, not bytes"
    parts = encode_body(iter([b"a", "é", b""]), None, None).chunks
    assert parts is not None
    assert b"".join(encode_chunked(parts)) == b"1\r\na\r\n2\r\n\xc3\xa9\r\n0\r\n\r\n"


@pytest.mark.parametrize("wrong", [5, [1, 2]])
def test_data_of_other_types_is_rejected(wrong: Any) -> None:
    with pytest.raises(TypeError, match="data="):
        list(encode_body(wrong, None, None).chunks or ())


def test_files_are_sent_with_the_fields_of_data() -> None:
    files = {"one": ("a.txt", b"content", "text/x", {"X-A": "b"}, "BOUND"), "two": io.BytesIO(b"more"), "three": None}
    body = encode_body({"field": ["1", 2], "none": None}, None, files)
    assert body.content_type == "multipart/form-data; boundary=BOUND"
    parts = body.data.split(b"--BOUND")
    assert [part.partition(b"\r\n\r\n")[2].strip() for part in parts[1:-1]] == [b"1", b"2", b"content", b"more"]
    assert b'name="one"; filename="a.txt"' in parts[3]
    assert b"Content-Type: text/x" in parts[3]
    assert b"X-A: b" in parts[3]
    assert b'name="two"; filename="two"' in parts[4]
    assert parts[-1] == b"--\r\n"
    with pytest.raises(ValueError, match="data="):
        encode_body("text", None, files)
