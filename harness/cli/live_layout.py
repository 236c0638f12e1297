"""How the live view divides the screen into parts, by rank, in one or two columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.layout import Layout
from rich.text import Text

FIGURE = 10
"""How wide a column of figures is."""
SPARE = 8
"""Parts from this rank on get only the lines that the others leave."""
NARROW = 60
"""Below this width there are no endpoints, which are most of the second column."""
_LEFT = 84
_GAP = 3
_TWO_COLUMNS = _LEFT + _GAP + NARROW


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the screen, a line per row.

    Parts of a lower ``rank`` come first when lines are short: each gets its ``least`` rows, then all, then a blank line
    below (``air``). ``keep`` is the row that stays if there is no room for all.
    """

    rank: int
    rows: Sequence[Text]
    least: int = 1
    keep: int = 0
    air: bool = True

    def draw(self, height: int) -> Text:
        """At most ``height`` of the rows, which are cut off at the screen's edge."""
        first = max(0, min(self.keep, len(self.rows) - height))
        text = Text("\n", no_wrap=True, overflow="ellipsis").join(self.rows[first : first + height])
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def aligned(rows: Sequence[Sequence[Text]], *, most: Sequence[int] = (), figures: int = 0) -> list[Text]:
    """Rows of cells as columns. ``most`` limits the first columns' widths; the last ``figures`` are right-aligned."""
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    for column, limit in enumerate(most if rows else ()):
        widths[column] = min(widths[column], limit)
    others = len(widths) - figures
    for row in rows:
        for column, cell in enumerate(row[: others if figures else -1]):
            cell.align("left", widths[column])
        for cell in row[others:]:
            cell.align("right", max(cell.cell_len, FIGURE - 2))
    return [Text("  ").join(row) for row in rows]


def heights(parts: Sequence[Part], height: int) -> list[int]:
    """How many of ``height`` lines each part gets."""
    given = [0] * len(parts)
    order = sorted(range(len(parts)), key=lambda index: parts[index].rank)
    for wanted in (
        [0 if part.rank >= SPARE else min(part.least, len(part.rows)) for part in parts],
        [len(part.rows) for part in parts],
        [len(part.rows) + part.air for part in parts],
    ):
        for index in order:
            given[index] += min(height - sum(given), wanted[index] - given[index])
    return given


def lay_out(parts: Sequence[Part], height: int) -> Layout:
    """The parts below each other."""
    parts = [part for part in parts if part.rows]
    sized = zip(parts, heights(parts, height), strict=True)
    layout = Layout(Text(" "))  # in place of rich's own frame, where there are no parts
    layout.split_column(*(Layout(part.draw(given), size=given) for part, given in sized if given))
    return layout


def column_widths(width: int) -> tuple[int, int]:
    """The widths of the columns; the second one is 0 if there is room for one only."""
    return (_LEFT, width - _LEFT - _GAP) if width >= _TWO_COLUMNS else (width, 0)


def beside(left: Layout, right: Layout, width: int) -> Layout:
    """Two columns, the left one as wide as ``width``."""
    layout = Layout()
    layout.split_row(Layout(left, size=width), Layout(Text(" "), size=_GAP), right)
    return layout
