"""A log's secrets become ``***``, in a file and in a stream, whatever pieces it comes in."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from harness.record import redacted_lines
from harness.record.redacted_lines import RedactedLines, RedactedStream
from harness.record.redaction import redacted

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nDEFghi\n-----END RSA PRIVATE KEY-----"
SECRET = "s3cr3tValue"


@pytest.mark.parametrize(
    "form",
    [
        "token={} y",
        "token: {} y",
        "Authorization: Bearer {}",
        '"password": "{}" y',
        "--password {} y",
        "password = {} y",
        '{{"id":1,"password":"{}","n":2}}',
        "<input value='{}' name='token'> y",
        "http://user:{}@host/ y",
    ],
)
@pytest.mark.parametrize("filling", ["x ", '{"a":1},'])
def test_a_long_line_is_masked_piece_by_piece(form: str, filling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is cut: so long a part comes before the secret that each of its places is a cut's."""
    monkeypatch.setattr(redacted_lines, "_LONGEST_PIECE", 256)
    monkeypatch.setattr(redacted_lines, "_AHEAD", (64, 128))
    for length in range(140, 260, 5):
        text = (filling * 99)[-length:] + form.format(SECRET) + filling * 40 + "\n"
        lines = RedactedLines()
        assert "".join(lines.take(text[at : at + 8]) for at in range(0, len(text), 8)).strip() == redacted(text).strip()


def test_a_long_line_with_many_secrets_is_shown_but_for_them() -> None:
    lines = RedactedLines()
    text = ",".join(f'{{"id":{number},"token":"{SECRET}"}}' for number in range(4_000))
    assert lines.take(text) + lines.end() == text.replace(SECRET, "***")


def test_a_stream_masks_what_comes_in_pieces() -> None:
    below = io.StringIO()
    stream = RedactedStream(below)
    for piece in ("a pass", "word=", SECRET, " here\nnext", " line"):
        stream.write(piece)
    assert below.getvalue() == "a password=*** here\n"
    stream.close()
    assert below.getvalue() == "a password=*** here\nnext line"


def test_a_masked_stream_is_the_stream_that_a_scenario_expects(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="latin-1") as below:
        stream = RedactedStream(below)
        stream.reconfigure(line_buffering=True)
        assert (stream.encoding, stream.fileno(), stream.isatty()) == ("latin-1", below.fileno(), False)
        print("token=abc", "next", file=stream, flush=True)
        assert (tmp_path / "log").read_text() == "token=*** next\n"


def test_a_private_key_over_several_writes_is_masked_in_a_stream() -> None:
    below = io.StringIO()
    stream = RedactedStream(below)
    for line in f"{KEY} loaded\nplain\n".splitlines(keepends=True):
        stream.write(line)
    assert below.getvalue() == "***\n***\n***\n*** loaded\nplain\n"
