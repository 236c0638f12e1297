"""Output streams that cannot be written to: a pipe without a reader, a file on a full disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def stream_that_takes_nothing(state: str) -> Iterator[TextIO]:
    """A file that every write to fails; ``state`` is ``closed pipe`` or ``full disk``."""
    if state == "closed pipe":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full", os.O_WRONLY)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield stream
        # What is left in the file's buffer is to go somewhere when it is closed.
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, stream.fileno())
        os.close(sink)
