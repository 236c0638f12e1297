"""What other processes write to a log is redacted before it reaches the disk, in whatever pieces it comes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from harness.record import redacted_lines
from harness.record.redacted_lines import BackgroundRedactedLog, RedactedLog
from harness.record.redaction import redacted
from tests.support.children import killed_at_end, wait_until

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nDEFghi\n-----END RSA PRIVATE KEY-----"
SECRET = "s3cr3tValue"


def logged(path: Path, written: bytes) -> bytes:
    """What is in the log once all of ``written`` has come."""
    log = BackgroundRedactedLog(path)
    with os.fdopen(os.dup(log.writer), "wb") as pipe:
        pipe.write(written)
    log.close()
    return path.read_bytes()


def test_secrets_are_redacted_and_all_else_is_kept_byte_by_byte(tmp_path: Path) -> None:
    text = logged(tmp_path / "log", b'caf\xe9 "token": "unended\nplain\nAuthorization: Bearer abc\n\xff\x00 end')
    assert text == b'caf\xe9 "token": "***"\nplain\nAuthorization: ***\n\xff\x00 end'


def test_a_private_key_over_several_lines_is_redacted(tmp_path: Path) -> None:
    written = f"key: {KEY} loaded\nplain\n-----BEGIN PRIVATE KEY-----\n" + "abc\n" * 402 + "token=x\nend"
    lines = logged(tmp_path / "log", written.encode()).decode()
    assert lines.startswith("key: ***\n***\n***\n*** loaded\nplain\n***\n***\n")
    # A key without an end does not hide all that follows.
    assert lines.endswith("abc\nabc\ntoken=***\nend")
    assert lines.count("***\n") > 400


def test_a_secret_without_an_end_hides_the_rest_of_a_long_line(tmp_path: Path) -> None:
    written = f'x "token": "{SECRET * 50_000} {SECRET}", "id": 1\nplain\n'
    hidden, plain = logged(tmp_path / "log", written.encode()).decode().splitlines()
    assert hidden.startswith('x "token": "***')
    assert (SECRET in hidden, plain) == (False, "plain")


@pytest.mark.slow
@pytest.mark.parametrize("line", ["x " * 200_000, "x" * 100_000, f"token=a {'x' * 200_000} b"])
def test_a_long_line_without_secrets_is_kept(line: str, tmp_path: Path) -> None:
    assert logged(tmp_path / "log", (line + "é\nnext").encode()).decode() == redacted(line) + "é\nnext"


def test_pieces_of_any_size_give_the_same_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["plain", 'token="unended', "plain", KEY, f"password={SECRET}", "plain", "é" * 40, "secret: x", "plain"] * 3
    found = set()
    for size in (1, 7, 30, 100, 1 << 16):
        monkeypatch.setattr(redacted_lines, "_READ_AT_ONCE", size)
        found.add(logged(tmp_path / f"log-{size}", "\n".join(lines).encode()).decode())
    (text,) = found
    assert text.count("plain") == lines.count("plain")
    assert SECRET not in text


def test_a_whole_line_is_in_the_log_as_soon_as_it_has_come(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log = RedactedLog(tmp_path / "log", reader)
    os.write(writer, b"token=abc\nnot yet ")
    assert log.pump()
    assert (tmp_path / "log").read_text() == "token=***\n"
    os.close(writer)
    assert not log.pump()
    log.close()
    assert (tmp_path / "log").read_text() == "token=***\nnot yet "


def test_a_log_ends_although_a_process_still_holds_it_open(tmp_path: Path) -> None:
    log = BackgroundRedactedLog(tmp_path / "log")
    command = [sys.executable, "-c", "import sys; print('ready', flush=True); sys.stdin.read()"]
    with killed_at_end(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log.writer)) as left_behind:
        wait_until((tmp_path / "log").read_text, what="its output")
        log.close()
        assert left_behind.poll() is None
    assert (tmp_path / "log").read_text() == "ready\n"


def test_a_full_disk_does_not_stop_whoever_writes(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        written = logged(tmp_path / "log", b"plain\n" * 300_000)  # more than the pipe holds beside
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(written) == 100_000


def test_times_never_go_backwards_whichever_process_writes_first(tmp_path: Path) -> None:
    log = BackgroundRedactedLog(tmp_path / "log")
    with open(log.writer, "w", closefd=False) as writer:
        for moment in ("01,002", "01,001", "01,003"):
            writer.write(f"2026-01-02 03:04:{moment} worker-0 INFO mine: {moment}\n2026-01-02 03:04:00,000: not ours\n")
        writer.write("9999-01-02 03:04:00,000 is no time at which anything was logged\n")
        writer.write("2026-01-02 03:04:01,004 master INFO mine: last\n")
    log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    logged = [(line[17:23], line[-6:]) for line in lines if " mine: " in line]
    assert logged == [("01,002", "01,002"), ("01,002", "01,001"), ("01,003", "01,003"), ("01,004", ": last")]
    assert sum("03:04:00,000" in line for line in lines) == 4
