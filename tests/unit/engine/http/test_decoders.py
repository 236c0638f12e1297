"""Content codings: undone, in parts as well as whole; what is broken or too large is told."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli
import pytest

from harness.engine.http.decoders import decode_content, make_decoder
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


@pytest.mark.parametrize("coding", CODED)
def test_each_coding_is_undone(coding: str) -> None:
    assert decode_content(CODED[coding], [coding.upper()], LIMIT) == TEXT
    decoder = make_decoder([coding], LIMIT)
    assert decoder is not None
    parts = [decoder.decode(CODED[coding][at : at + 3]) for at in range(0, len(CODED[coding]), 3)]
    assert b"".join(parts) + decoder.end() == TEXT


def test_deflate_may_lack_its_zlib_head() -> None:
    assert decode_content(RAW_DEFLATE, ["deflate"], LIMIT) == TEXT


def test_codings_are_undone_from_the_last_to_the_first() -> None:
    assert decode_content(brotli.compress(CODED["gzip"]), ["gzip, br"], LIMIT) == TEXT
    assert decode_content(brotli.compress(CODED["gzip"]), ["gzip", "identity", "br"], LIMIT) == TEXT


@pytest.mark.parametrize("codings", [[], ["identity"], [""]])
def test_nothing_to_undo(codings: list[str]) -> None:
    assert decode_content(b"as it is", codings, LIMIT) == b"as it is"


@pytest.mark.parametrize("coding", CODED)
def test_an_empty_body_is_empty(coding: str) -> None:
    assert decode_content(b"", [coding], LIMIT) == b""


@pytest.mark.parametrize("coding", CODED)
def test_what_is_cut_short_or_something_else_is_told(coding: str) -> None:
    with pytest.raises(MalformedResponse, match="cut short"):
        decode_content(CODED[coding][:-5], [coding], LIMIT)
    with pytest.raises(MalformedResponse, match=f"is not {coding}"):
        decode_content(b"\xff" * 50, [coding], LIMIT)


def test_a_coding_that_nobody_knows_is_told() -> None:
    with pytest.raises(MalformedResponse, match="its content coding is none of gzip"):
        decode_content(b"x", ["rot13"], LIMIT)
    with pytest.raises(MalformedResponse, match="too many"):
        decode_content(b"x", ["rot13," + "gzip," * 5], LIMIT)


@pytest.mark.parametrize("coding", CODED)
def test_a_small_answer_does_not_unpack_beyond_the_limit(coding: str) -> None:
    with pytest.raises(ResponseTooLarge):
        decode_content(CODED[coding], [coding], len(TEXT) - 1)
    assert decode_content(CODED[coding], [coding], len(TEXT)) == TEXT
