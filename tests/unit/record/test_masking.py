"""Secrets become ``***``, whatever they stand in; what is none stays as it is."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from harness.record.masking import MaskedStream, add_names, mask_file, masked, masked_settings, masked_words

SECRET = "s3cr3tValue"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic dXNlcjp{SECRET}==",
        f"{{'Authorization': 'Digest username=\"a\", response=\"{SECRET}\"'}}",
        f"Cookie: sid={SECRET}; other={SECRET}",
        f"Set-Cookie: sid={SECRET}; Path=/; HttpOnly",
        f'{{"set-cookie": "a={SECRET}; b={SECRET}"}}',
        f"the server said Bearer {SECRET} to me",
        f"password={SECRET}",
        f"PASSWORD = {SECRET}",
        f"DB_PASSWORD={SECRET} python app.py",
        f"python app.py --db-password {SECRET} --port 1",
        f"python app.py --api-key={SECRET}",
        f"-token {SECRET}",
        f'{{"access_token": "{SECRET}"}}',
        f'{{"accessToken":"{SECRET}\\" and {SECRET}"}}',
        json.dumps(json.dumps({"refresh_token": SECRET})),
        f"{{'token': b'{SECRET}'}}",
        f"{{'cookies': {{'sid': '{SECRET}'}}}}",
        f'"tokens": ["{SECRET}", "{SECRET}"]',
        f'"client_secret": "{SECRET}',  # cut off
        f"GET /login?token={SECRET}&page=2",
        f"/a?x=1&api_key={SECRET}#top",
        f"/a?key={SECRET}&sig={SECRET}",
        f"/a?X-Amz-Signature={SECRET}",
        f"csrf_token%3D{SECRET}",
        f"http://user:{SECRET}@host/path",
        f"postgresql+psycopg://shop:p@{SECRET}@db:5432/shop",
        f"https://{SECRET}@github.test/x.git",
        f"jwt is eyJhbGciOiJIUzI1NiJ9.eyJ{SECRET}.{SECRET}",
        f"eyJ{SECRET}",
        f"x-api-key: {SECRET}",
        f"api key: {SECRET}",
        f"user[password]={SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"JSESSIONID={SECRET}",
        f'{{"pass\\u0077ord_token": "{SECRET}"}}',
    ],
)
def test_a_secret_is_masked(text: str) -> None:
    assert SECRET not in masked(text)
    assert "***" in masked(text)
    assert masked(masked(text)).replace("*", "") == masked(text).replace("*", "")


@pytest.mark.parametrize(
    "text",
    [
        "no answer within 60 s",
        "HTTP 500",
        "GET /token/refresh",
        "GET /products?page=2&code",
        "POST /password-reset",
        "the password is wrong",
        "https://shop.example:8000/a?b=c",
        "someone@shop.example",
        "Basic realm of mathematics",
        "p95 < 500ms on POST /checkout",
        "ConnectionRefusedError: [Errno 111] Connection refused",
        '{"id": 7, "total_cents": 100}',
        "get (site-packages/http/cookies.py:45)",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text


def test_what_stands_beside_a_secret_stays() -> None:
    assert masked(f'{{"token": "{SECRET}", "id": 7}}') == '{"token": "***", "id": 7}'
    assert masked(f"/a?token={SECRET}&page=2") == "/a?token=***&page=2"
    assert masked(f"http://u:{SECRET}@host:80/p") == "http://***@host:80/p"
    assert masked(f"Authorization: Bearer {SECRET}\nHost: a") == "Authorization: ***\nHost: a"


def test_words_of_a_command_line() -> None:
    words = ["--user", "me", "--password", SECRET, "--token", "--verbose", f"--key-secret={SECRET}", "Buyer"]
    assert masked_words(words) == (
        *("--user", "me", "--password", "***", "--token", "--verbose", "--key-secret=***", "Buyer"),
    )


def test_settings_are_masked_by_name_too() -> None:
    settings = {"DB_PASSWORD": SECRET, "PORT": "1", "DATABASE_URL": f"postgresql://a:{SECRET}@b/c", "TOKEN": ""}
    expected = {"DB_PASSWORD": "***", "PORT": "1", "DATABASE_URL": "postgresql://***@b/c", "TOKEN": ""}
    assert masked_settings(settings) == expected


def test_a_file_is_masked_where_there_is_something_to_mask(tmp_path: Path) -> None:
    file = tmp_path / "target.log"
    file.write_bytes(b'caf\xe9 "token": "unended\nplain\nAuthorization: Bearer abc\n\xff\x00 end')
    mask_file(file)
    assert file.read_bytes() == b'caf\xe9 "token": "***"\nplain\nAuthorization: ***\n\xff\x00 end'
    before = file.stat()
    mask_file(file)
    assert file.stat().st_ino == before.st_ino
    assert [path.name for path in tmp_path.iterdir()] == ["target.log"]


def test_the_user_adds_names() -> None:
    text = f'"x-tenant": "{SECRET}"'
    assert masked(text) == text
    add_names(["X-Tenant"])
    assert masked(text) == '"x-tenant": "***"'
    assert masked(f"x_tenant_id={SECRET}") == "x_tenant_id=***"


def test_a_stream_masks_what_comes_in_pieces() -> None:
    below = io.StringIO()
    stream = MaskedStream(below)
    for piece in ("a pass", "word=", SECRET, " here\nnext", " line"):
        stream.write(piece)
    assert below.getvalue() == "a password=*** here\n"
    stream.close()
    assert below.getvalue() == "a password=*** here\nnext line"


def test_a_masked_stream_is_the_stream_that_a_scenario_expects(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="latin-1") as below:
        stream = MaskedStream(below)
        stream.reconfigure(line_buffering=True)
        assert (stream.encoding, stream.fileno(), stream.isatty()) == ("latin-1", below.fileno(), False)
        print("token=abc", "next", file=stream, flush=True)
        assert (tmp_path / "log").read_text() == "token=*** next\n"


@pytest.mark.parametrize(
    "unit", ["password", "password=", "a", "--", "Bearer ", "eyJ", "://", "token: '", "\\", "=[", "{"]
)
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (20_000 // len(unit)) + "password=x"
    begun = time.process_time()
    masked(text)
    assert time.process_time() - begun < 2
