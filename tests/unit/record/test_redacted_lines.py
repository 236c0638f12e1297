"""A log's secrets become ``***``, in a file and in a stream, whatever pieces it comes in."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from harness.record import redacted_lines
from harness.record.redacted_lines import RedactedLines, RedactedStream

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nDEFghi\n-----END RSA PRIVATE KEY-----"
SECRET = "s3cr3tValue"


@pytest.mark.parametrize("form", ["token={} y", '"password": "{}" y', "--password {} y", "http://user:{}@host/ y"])
@pytest.mark.parametrize("filling", ["x ", '{"a":1},'])
def test_the_rest_of_a_line_that_is_too_long_is_left_out(
    form: str, filling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No part of a secret is shown, wherever the line is cut."""
    monkeypatch.setattr(redacted_lines, "_LONGEST_LINE", 100)
    for length in range(50, 110):
        text = (filling * 99)[-length:] + form.format(SECRET) + filling * 30
        lines = RedactedLines()
        written = "".join(lines.take(text[at : at + 8]) for at in range(0, len(text), 8)) + lines.take("\nnext\nlast")
        cut, following = written.splitlines()
        assert re.search(r"\*\*\* \(\d+ characters left out\)$", cut)
        assert cut.startswith((filling * 99)[-length:][:40])
        assert SECRET[:4] not in cut
        assert following == "next"
        assert lines.end() == "last"


def test_a_long_line_with_many_secrets_is_shown_but_for_them() -> None:
    lines = RedactedLines()
    text = ",".join(f'{{"id":{number},"token":"{SECRET}"}}' for number in range(4_000))
    assert lines.take(text) + lines.end() == text.replace(SECRET, "***")


def test_a_stream_redacts_what_comes_in_pieces() -> None:
    below = io.StringIO()
    stream = RedactedStream(below)
    for piece in ("a pass", "word=", SECRET, " here\nnext", " line"):
        stream.write(piece)
    assert below.getvalue() == "a password=*** here\n"
    stream.close()
    assert below.getvalue() == "a password=*** here\nnext line"


def test_a_redacted_stream_is_the_stream_that_a_scenario_expects(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="latin-1") as below:
        stream = RedactedStream(below)
        stream.reconfigure(line_buffering=True)
        assert (stream.encoding, stream.fileno(), stream.isatty()) == ("latin-1", below.fileno(), False)
        print("token=abc", "next", file=stream, flush=True)
        assert (tmp_path / "log").read_text() == "token=*** next\n"


def test_a_private_key_over_several_writes_is_redacted_in_a_stream() -> None:
    below = io.StringIO()
    stream = RedactedStream(below)
    for line in f"{KEY} loaded\nplain\n".splitlines(keepends=True):
        stream.write(line)
    assert below.getvalue() == "***\n***\n***\n*** loaded\nplain\n"
