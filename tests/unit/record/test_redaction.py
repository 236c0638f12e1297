"""Secrets become ``***`` in any kind of text; everything else stays unchanged."""

from __future__ import annotations

import json
import math
import random
import time

import pytest

from harness.record import redaction
from harness.record.redaction import add_secret_names, redacted, redacted_command, redacted_settings, redacted_words

SECRET = "s3cr3tValue"


@pytest.mark.slow
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
        f"sftp://user:{SECRET}@host/runs",
        f"sftp://user@{SECRET}@host/runs",
        f"sftp://user@corp:{SECRET}@host",
        f"https://u:pa'{SECRET}@host",
        f"{{'url': 'https://u:pa'{SECRET}@host'}}",
        f"https:\\/\\/user:{SECRET}@host",
        json.dumps(f"https:\\/\\/user:{SECRET}@host"),
        f"next=https%3A%2F%2Fuser%3A{SECRET}%40host%2Fpath",
        f"next=https%3a%2f%2f{SECRET}@host",
        f"server --db-pass={SECRET}",
        f"server --db-pass='{SECRET} {SECRET}' --port 1",
        f"server --stripe-key={SECRET} --redis-auth={SECRET}",
        f"jwt is eyJhbGciOiJIUzI1NiJ9.eyJ{SECRET}.{SECRET}",
        f"eyJ{SECRET}",
        f"x-api-key: {SECRET}",
        f"api key: {SECRET}",
        f"user[password]={SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"JSESSIONID={SECRET}",
        f'{{"pass\\u0077ord_token": "{SECRET}"}}',
        # Quotes within a value, and values with all that usually ends one
        f'Set-Cookie: sid="{SECRET}"; Path=/',
        f'Cookie: "a"; sid={SECRET}',
        f'Authorization: Digest username="a", response="{SECRET}"',
        f"curl -H 'Cookie: a=\"b\"; sid={SECRET}' http://x",
        f'"set-cookie": ["a=b", "sid={SECRET}; Path=/"]',
        f"password=&{SECRET}",
        f"password=({SECRET})",
        f"password=ab,{SECRET}",
        f"password='ab'{SECRET}",
        f'"password": "a\n{SECRET}\nb"',
        f'"tokens": {{"a": {{"b": "{SECRET}"}}}}',
        f"server --db-password '{SECRET}'",
        f'server --db-password "ab {SECRET}"',
        f"server --db-pass {SECRET}",
        f"DB_PASS={SECRET} server",
        f"{{'STRIPE_KEY': '{SECRET}'}}",
        # Bodies
        f'[("password", "{SECRET}")]',
        f"['server', '--password', '{SECRET}']",
    ],
)
def test_a_secret_is_redacted(text: str) -> None:
    assert SECRET not in redacted(text)
    assert "***" in redacted(text)
    assert redacted(redacted(text)).replace("*", "") == redacted(text).replace("*", "")


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
        "Give a directory, or a URL such as s3://bucket/runs or sftp://user@host/runs",
        "sftp://user@host",
        "Basic realm of mathematics",
        "basic authentication",
        "the basic HTTP2Server example",
        "basic abcdefghi===",
        "basic ________-",
        "https%3A%2F%2Fhost%2Fcart%3Fmail%3Da%40b",
        "https:\\/\\/host\\/a@b",
        "{'url':'http://host','mail':'a@b'}",
        "--keyboard=de --path=x --compass=n",
        "p95 < 500ms on POST /checkout",
        "ConnectionRefusedError: [Errno 111] Connection refused",
        '{"id": 7, "total_cents": 100}',
        "get (site-packages/http/cookies.py:45)",
        "scenarios/token_refresh.py: there is no such scenario",
        "password.toml: the file has 2,000,000 bytes",
    ],
)
def test_text_that_is_not_a_secret_is_unchanged(text: str) -> None:
    assert redacted(text) == text


def test_text_beside_a_secret_is_unchanged() -> None:
    assert redacted(f'{{"token": "{SECRET}", "id": 7}}') == '{"token": "***", "id": 7}'
    assert redacted(f"/a?token={SECRET}&page=2") == "/a?token=***&page=2"
    assert redacted(f"password={SECRET}, port=1; token={SECRET};") == "password=***, port=1; token=***;"
    assert redacted(f"server --token 'a {SECRET}', at b") == "server --token ***, at b"
    assert redacted(f"http://u:{SECRET}@host:80/p") == "http://***@host:80/p"
    assert redacted("it said basic dXNlcjpwYXNz to me") == "it said basic *** to me"
    assert redacted(f"a?next=https%3A%2F%2Fu%3A{SECRET}%40host%2Fp&b=c") == "a?next=https%3A%2F%2F***%40host%2Fp&b=c"
    assert redacted(f"server --db-pass={SECRET}, at b") == "server --db-pass=***, at b"
    assert redacted(f"Authorization: Bearer {SECRET}\nHost: a") == "Authorization: ***\nHost: a"
    assert redacted(f'curl -H "Cookie: a={SECRET}" http://x') == 'curl -H "Cookie: ***" http://x'
    assert redacted(f'process 7:"a --token {SECRET}";b --token {SECRET} "c" d') == (
        'process 7:"a --token ***";b --token *** "c" d'
    )
    assert redacted(f'{{"log": "token={SECRET}", "id": 7}}') == '{"log": "token=***", "id": 7}'


def test_words_of_a_command_line() -> None:
    words = ["--user", "me", "--password", SECRET, "--token", "--verbose", f"--key-secret={SECRET}", "Buyer"]
    assert redacted_words(words) == (
        *("--user", "me", "--password", "***", "--token", "--verbose", "--key-secret=***", "Buyer"),
    )


def test_words_that_give_a_secret_its_value_are_redacted_whole() -> None:
    words = (f"--my-token=ab,{SECRET}", f"target.environment.API_TOKEN=x {SECRET}", f"DB_PASS={SECRET}", "path=x")
    assert redacted_words(words) == ("--my-token=***", "target.environment.API_TOKEN=***", "DB_PASS=***", "path=x")
    assert redacted_words(["--stripe-key", SECRET, "--keyboard", "de"]) == ("--stripe-key", "***", "--keyboard", "de")


def test_a_command_is_redacted_word_by_word() -> None:
    command = f"server {{port}} --db-password 'a {SECRET}' --name \"it's\""
    assert redacted_command(command) == "server {port} --db-password *** --name 'it'\"'\"'s'"
    assert redacted_command(f"env REDIS_AUTH={SECRET} sh -c \"server --token '{SECRET}'\"") == (
        "env REDIS_AUTH=*** sh -c 'server --token ***'"
    )
    for unchanged in ('server "{port}"  --verbose', "server 'unended"):
        assert redacted_command(unchanged) == unchanged


def test_settings_are_redacted_by_name_too() -> None:
    last = {"DB_PASS": "***", "STRIPE_KEY": "***", "REDIS_AUTH": "***", "GITHUB_PAT": "***", "PATH": "x"}
    assert redacted_settings(dict.fromkeys(last, "x")) == last
    settings = {"DB_PASSWORD": SECRET, "PORT": "1", "DATABASE_URL": f"postgresql://a:{SECRET}@b/c", "TOKEN": ""}
    expected = {"DB_PASSWORD": "***", "PORT": "1", "DATABASE_URL": "postgresql://***@b/c", "TOKEN": ""}
    assert redacted_settings(settings) == expected


def test_the_user_adds_names() -> None:
    text = f'"x-depot": "{SECRET}"'  # no other test's name: what was one stays one as long as the process lives
    assert redacted(text) == text
    add_secret_names(["X-Depot"])
    assert redacted(text) == '"x-depot": "***"'
    assert redacted(f"x_depot_id={SECRET}") == "x_depot_id=***"


@pytest.mark.parametrize(
    "unit",
    [
        *("password", "password=", "a", "--", "Bearer ", "eyJ", "://", "token: '", "\\", "=[", "{", "token:{{}", "<"),
        *("cookie: ", "&token=", "?token", '--token "', "'token', '", "<name=token ", "<token>", "&quot;", "token."),
        *("form-data; name=token", "form-data; name=token\n", "-----BEGIN ", "\r\n"),
        *("https%3A%2F%2F", "%3A%2F%2Fa", "%25", "://'", "':", "basic abcdefgh ", "--db-pass='"),
    ],
)
@pytest.mark.parametrize("before", ["", "cookie:", "<token "])
def test_a_text_four_times_as_long_does_not_take_16_times_as_long(unit: str, before: str) -> None:
    shortest_s = {2_000: math.inf, 8_000: math.inf}
    for _ in range(10):  # what others on the machine take away is not in the shortest of some times
        for length in shortest_s:
            text = before + unit * (length // len(unit)) + "password=x"
            begun_s = time.process_time()
            redacted(text)
            shortest_s[length] = min(shortest_s[length], time.process_time() - begun_s)
        if shortest_s[8_000] < 10 * shortest_s[2_000]:
            return
    pytest.fail(f"seconds by length: {shortest_s}")


def redacted_by_all_patterns(text: str) -> str:
    """By each pattern, whether or not a quick look at the text says that it can match."""
    for pattern, replacement in (*redaction._BY_FORM, *redaction._of_this_process._by_name):
        text = pattern.sub(replacement, text)
    return text


PIECES = (
    *("password=", "API-Key: ", "DB_PASS=", '"token":"', "--a-key ", '("my_secret", ', "?pwd=", "Set-Cookie: "),
    *('"authorization', "Bearer ", "basic ", "QWxhZGRpbjpvcGVu", "eyJhbGciOiJ", "://", "%3A%2F%2F", "@", "%40"),
    *("-----BEGIN PRIVATE KEY-----", "&key=", "a:", "v w", "12", " ", ",", '"', "'", "\\", "\n", "{", "]", ">", "é"),
)


def test_no_secret_is_passed_over_by_a_quick_look() -> None:
    chance = random.Random(5)
    for _ in range(3_000):
        text = "".join(chance.choices(PIECES, k=chance.randint(1, 12)))
        text = text.swapcase() if chance.random() < 0.2 else text
        assert redacted(text) == redacted_by_all_patterns(text)
