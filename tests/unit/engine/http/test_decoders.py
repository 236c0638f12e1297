"""Content codings are decoded, whole or in parts, and invalid or too large bodies are rejected."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli
import pytest

from harness.engine.http.decoders import Decoder
from harness.engine.request_failures import MalformedResponse, ResponseTooLarge

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"to be or not to be, " * 5000
LIMIT = 1_000_000
CODED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:7]) + gzip.compress(TEXT[7:]),
    "deflate": zlib.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstd.compress(TEXT[:9]) + zstd.compress(TEXT[9:]),
}
RAW_DEFLATE = zlib.compress(TEXT)[2:-4]


def decode_content(body: bytes, codings: list[str], limit: int) -> bytes:
    return Decoder(codings, limit).decode(body, last=True)


@pytest.mark.parametrize("coding", CODED)
def test_each_coding_is_decoded(coding: str) -> None:
    assert decode_content(CODED[coding], [coding.upper()], LIMIT) == TEXT
    decoder = Decoder([coding], LIMIT)
    parts = [decoder.decode(CODED[coding][at : at + 3], last=False) for at in range(0, len(CODED[coding]), 3)]
    assert b"".join(parts) + decoder.decode(b"", last=True) == TEXT


def test_deflate_may_lack_its_zlib_header() -> None:
    assert decode_content(RAW_DEFLATE, ["deflate"], LIMIT) == TEXT


def test_codings_are_decoded_from_last_to_first() -> None:
    assert decode_content(brotli.compress(CODED["gzip"]), ["gzip, br"], LIMIT) == TEXT
    assert decode_content(brotli.compress(CODED["gzip"]), ["gzip", "identity", "br"], LIMIT) == TEXT


@pytest.mark.parametrize("codings", [[], ["identity"], [""]])
def test_identity_is_not_a_coding(codings: list[str]) -> None:
    assert decode_content(b"as it is", codings, LIMIT) == b"as it is"


@pytest.mark.parametrize("coding", CODED)
def test_an_empty_body_is_empty(coding: str) -> None:
    assert decode_content(b"", [coding], LIMIT) == b""


@pytest.mark.parametrize("coding", CODED)
def test_truncated_and_invalid_content_is_rejected(coding: str) -> None:
    with pytest.raises(MalformedResponse) as truncated:
        decode_content(CODED[coding][:-5], [coding], LIMIT)
    assert (truncated.value.kind, truncated.value.params["coding"]) == ("truncated-content", coding)
    with pytest.raises(MalformedResponse) as invalid:
        decode_content(b"\xff" * 50, [coding], LIMIT)
    assert (invalid.value.kind, invalid.value.params["coding"]) == ("invalid-content", coding)


def test_an_unknown_coding_is_rejected() -> None:
    with pytest.raises(MalformedResponse) as unknown:
        decode_content(b"x", ["rot13"], LIMIT)
    assert unknown.value.kind == "unknown-content-coding"
    with pytest.raises(MalformedResponse) as too_many:
        decode_content(b"x", ["rot13," + "gzip," * 5], LIMIT)
    assert too_many.value.kind == "too-many-content-codings"


@pytest.mark.parametrize("coding", CODED)
def test_decoding_stops_at_the_limit(coding: str) -> None:
    with pytest.raises(ResponseTooLarge):
        decode_content(CODED[coding], [coding], len(TEXT) - 1)
    assert decode_content(CODED[coding], [coding], len(TEXT)) == TEXT
