"""A log's secrets become ``***``, in a file and in a stream, whatever pieces it comes in."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from harness.record import redacted_lines
from harness.record.redacted_lines import RedactedLines, RedactedStream, redact_file
from harness.record.redaction import redacted

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nDEFghi\n-----END RSA PRIVATE KEY-----"
SECRET = "s3cr3tValue"


def test_a_file_is_masked_where_there_is_something_to_mask(tmp_path: Path) -> None:
    file = tmp_path / "target.log"
    file.write_bytes(b'caf\xe9 "token": "unended\nplain\nAuthorization: Bearer abc\n\xff\x00 end')
    redact_file(file)
    assert file.read_bytes() == b'caf\xe9 "token": "***"\nplain\nAuthorization: ***\n\xff\x00 end'
    before = (file.stat().st_ino, tmp_path.stat().st_mtime_ns)
    redact_file(file)
    assert (file.stat().st_ino, tmp_path.stat().st_mtime_ns) == before  # nothing was made beside it, not for a moment
    assert [path.name for path in tmp_path.iterdir()] == ["target.log"]


def test_a_private_key_over_several_lines_is_masked_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "target.log"
    file.write_text(f"key: {KEY} loaded\nplain\n-----BEGIN PRIVATE KEY-----\n" + "abc\n" * 402 + "token=x\nend")
    redact_file(file)
    lines = file.read_text()
    assert lines.startswith("key: ***\n***\n***\n*** loaded\nplain\n***\n***\n")
    # One that has no end does not hide all that follows.
    assert lines.endswith("abc\nabc\ntoken=***\nend")
    assert lines.count("***\n") > 400


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


def test_a_secret_without_an_end_hides_the_rest_of_a_long_line(tmp_path: Path) -> None:
    file = tmp_path / "target.log"
    file.write_text(f'x "token": "{SECRET * 50_000} {SECRET}", "id": 1\nplain\n')
    redact_file(file)
    hidden, plain = file.read_text().splitlines()
    assert hidden.startswith('x "token": "***')
    assert (SECRET in hidden, plain) == (False, "plain")


def test_a_long_line_with_many_secrets_is_shown_but_for_them() -> None:
    lines = RedactedLines()
    text = ",".join(f'{{"id":{number},"token":"{SECRET}"}}' for number in range(4_000))
    assert lines.take(text) + lines.end() == text.replace(SECRET, "***")


def test_a_long_line_without_secrets_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "target.log"
    for text in ("x " * 200_000, "x" * 100_000, f"token=a {'x' * 200_000} b"):
        file.write_text(text + "é\nnext")
        redact_file(file)
        assert file.read_text() == redacted(text) + "é\nnext"


def test_a_file_is_masked_line_by_line_however_much_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["plain", 'token="unended', "plain", KEY, f"password={SECRET}", "plain", "é" * 40, "secret: x", "plain"] * 3
    file = tmp_path / "target.log"
    found = set()
    for size in (1, 7, 30, 100, 1 << 16):
        monkeypatch.setattr(redacted_lines, "_READ_AT_ONCE", size)
        file.write_text("\n".join(lines))
        assert redact_file(file)
        found.add(file.read_text())
    (text,) = found
    assert text.count("plain") == lines.count("plain")
    assert SECRET not in text


@pytest.mark.parametrize(
    "length", [redacted_lines._READ_AT_ONCE, redacted_lines._READ_AT_ONCE + redacted_lines._LONGEST_PIECE]
)
def test_a_name_across_what_is_read_at_once_is_seen(length: int, tmp_path: Path) -> None:
    file = tmp_path / "target.log"
    before = "x " * (length // 2 - 2) + "pass"
    file.write_text(f"{before}word={SECRET} y\n")
    redact_file(file)
    assert file.read_text() == f"{before}word=*** y\n"


def test_what_is_given_up_leaves_the_file_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "target.log"
    text = f"password={SECRET}\n" * 20_000
    file.write_text(text)
    answers = iter([False, False, True])
    assert not redact_file(file, stopped=lambda: next(answers))
    assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["target.log"]


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
