"""Redacts a log line by line, as it is written: of this process, or of others through a pipe."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import re
import select
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from harness.record.redaction import REDACTED, may_hold_secret, private_key_begins, private_key_ends, redacted

_LONGEST_LINE = 1 << 20
"""Characters; the rest of a longer line is left out."""
_LAST_WORD = re.compile(r"(?<![^\s/?#\"'<>])[^\s/?#\"'<>]*+\Z")
"""Left out too, as it may be a secret that only what follows gives away: the password of ``http://user:password@…``."""
_LONGEST_KEY = 400
"""The most lines that a private key without an end hides; a key of 16,384 bits has 200."""
_READ_AT_ONCE = 1 << 16
_PIPE_BYTES = 1 << 20
"""What writers may be ahead of the reader before they wait. Linux allows 1 MiB without privileges."""
_POLL_S = 0.1
_LOGGED_AT = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}(?= )", re.MULTILINE)


class RedactedLines:
    """Redacts text that comes in pieces. Each line is redacted when it is whole: a piece may end in half a secret."""

    def __init__(self) -> None:
        self._rest = ""
        """What has come of the last line."""
        self._left_out = 0
        """How many characters of it were left out, if it is too long."""
        self._key_lines = 0
        """How many more lines may belong to a private key that has begun and not ended."""

    def leaves(self, text: str) -> bool:
        """Whether ``text`` is whole lines without anything to redact: many times as fast as :meth:`take`, which then
        need not have it.
        """
        begins_line = not (self._rest or self._left_out or self._key_lines)
        return begins_line and text.endswith("\n") and not may_hold_secret(text)

    def take(self, text: str) -> str:
        """What can be written now that ``text`` has come: the lines that are whole."""
        found = ""
        if self._left_out:
            head, newline, text = text.partition("\n")
            self._left_out += len(head)
            if not newline:
                return ""
            found = self.end() + newline
        whole, newline, rest = text.rpartition("\n")
        if newline:
            found += self._redacted(self._rest + whole) + newline
            self._rest = ""
        self._rest += rest
        if len(self._rest) > _LONGEST_LINE:
            shown = _LAST_WORD.sub("", self._rest[:_LONGEST_LINE])
            self._left_out = len(self._rest) - len(shown)
            self._rest = shown
        return found

    def end(self) -> str:
        """What has come of the last line."""
        found = self._redacted(self._rest) if self._rest else ""
        if self._left_out:
            found += f"{REDACTED} ({self._left_out:,} characters left out)"
        self._rest, self._left_out = "", 0
        return found

    def _redacted(self, text: str) -> str:
        if not self._key_lines:
            return self._outside_key(text)
        end = private_key_ends(text)
        if end is None:
            self._key_lines = max(self._key_lines - text.count("\n") - 1, 0)
            return REDACTED
        self._key_lines = 0
        return REDACTED + self._outside_key(text[end.end() :])

    def _outside_key(self, text: str) -> str:
        at = text.rfind("-----BEGIN ")
        if at >= 0 and private_key_begins(text, at) and not private_key_ends(text, at):
            self._key_lines = _LONGEST_KEY
        return redacted(text)


class RedactedStream:
    """A text stream, such as standard error, that writes each line redacted, once it is whole.

    What else scenarios do with a standard stream (``buffer``, ``reconfigure``) is not redacted.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = RedactedLines()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if redacted_text := self._lines.take(text):
            self._stream.write(redacted_text)
            self._stream.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def close(self) -> None:
        """Write the last line, which has no end yet."""
        if not self._stream.closed:  # else nobody reads it: Python closes a stream that is dropped
            self._stream.write(self._lines.end())
            self._stream.flush()


class RedactedLog:
    """Appends to ``path`` what comes through the pipe ``reader``, each line when it is whole.

    The owner calls :meth:`pump` whenever ``reader`` is readable.
    """

    def __init__(self, path: Path, reader: int) -> None:
        self._file = path.open("ab", buffering=0)
        self.reader = reader
        os.set_blocking(reader, False)
        with suppress(OSError):  # only less room, then
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._lines = RedactedLines()

    def pump(self) -> bool:
        """Write what has come so far; false once every writer has closed the pipe."""
        while True:
            try:
                read = os.read(self.reader, _READ_AT_ONCE)
            except BlockingIOError:
                return True
            if not read:
                return False
            self._write(self._decoder.decode(read))

    def close(self) -> None:
        """Write what has come, the last unfinished line too, and close the file. Later writers get ``SIGPIPE``."""
        self.pump()
        self.append(self._lines.end())
        os.close(self.reader)
        self._file.close()

    def _write(self, text: str) -> None:
        if not self._lines.leaves(text):
            # Line by line: a quote without an end then hides the rest of its line, not of all that was read.
            text = "".join(self._lines.take(line) for line in io.StringIO(text, newline="\n"))
        self.append(text)

    def append(self, text: str) -> None:
        """Append what is redacted: whole lines, or the last one without its end."""
        with suppress(OSError):  # the disk is full: the writers must not wait for it
            self._file.write(text.encode("utf-8", "surrogateescape"))


class BackgroundRedactedLog(RedactedLog):
    """A redacted log that a thread pumps until it is closed. Child processes write to the descriptor ``writer``.

    Between taking the time and writing its line, a process may lose the core to another. Such a line gets the time of
    the one before it, so that the times in the log never go backwards.
    """

    def __init__(self, path: Path) -> None:
        self._latest = ""
        reader, self.writer = os.pipe()
        super().__init__(path, reader)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"redacts {path.name}", daemon=True)
        self._thread.start()

    def pump(self) -> bool:
        with self._lock:
            return super().pump()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        os.close(self.writer)
        super().close()

    def append(self, text: str) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S,999")
        if self._latest > now:  # the clock was set back
            self._latest = ""

        def no_earlier(found: re.Match[str]) -> str:
            if found[0] > now:  # no time at which anything was logged
                return found[0]
            self._latest = max(self._latest, found[0])
            return self._latest

        super().append(_LOGGED_AT.sub(no_earlier, text))

    def _run(self) -> None:
        while not self._closing.is_set():
            if select.select([self.reader], [], [], _POLL_S)[0]:
                self.pump()
