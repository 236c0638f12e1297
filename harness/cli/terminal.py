"""Standard error as rich writes to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from harness.cli.std_streams import LOG_WIDTH
from harness.record.plain_text import plain


class Terminal(Console):
    """Standard error, as wide as the terminal or COLUMNS, or as a log if there is neither.

    Whatever is printed, from a target, a scenario or a store, only rich itself steers the terminal.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"stderr": True, "highlight": False, "markup": False, **options})
        columns = os.environ.get("COLUMNS", "")
        has_width = columns.isdecimal() and int(columns) > 0  # 0 is what a terminal without a size says
        if not self.is_terminal and "width" not in options and not has_width:
            self.width = LOG_WIDTH

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Print no more: rich would exit with code 1, as if a gate had failed."""
        self.quiet = True
