"""A log file that other processes write through a pipe; its secrets are redacted before they reach the disk."""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import select
import threading
from contextlib import suppress
from pathlib import Path

from harness.record.redacted_lines import RedactedLines

_READ_AT_ONCE = 1 << 16
_PIPE_BYTES = 1 << 20
"""What writers may be ahead of the reader before they wait. Linux allows 1 MiB without privileges."""
_POLL_S = 0.1


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
    """A redacted log that a thread pumps until it is closed. Child processes write to the descriptor ``writer``."""

    def __init__(self, path: Path) -> None:
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

    def _run(self) -> None:
        while not self._closing.is_set():
            if select.select([self.reader], [], [], _POLL_S)[0]:
                self.pump()
