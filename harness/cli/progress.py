"""How the command line shows progress: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.control.observer import RunObserver


@contextmanager
def make_observer() -> Iterator[RunObserver]:
    """The observer that suits standard error, where it writes. The terminal is restored at the end."""
    if is_live_terminal():
        from harness.cli.live import LiveView
        from harness.cli.terminal import Terminal

        with LiveView(Terminal()) as view:
            yield view
    else:
        from harness.api.plain_output import PlainOutput

        yield PlainOutput()


def is_live_terminal() -> bool:
    """Whether standard error is a terminal that can be redrawn and that a person looks at."""
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        return False
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return False
    return "utf" in (sys.stderr.encoding or "").lower()
