"""A section as text: headline, tables, lists and paragraphs, for Markdown and the terminal.

Texts in blocks may come from the target: code that draws a block escapes them for its form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

Style = Literal["pass", "fail", "inconclusive", "broken", "warning", "bad", "dim"]
"""A verdict or status, a figure that needs attention, or a detail."""

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a table or a list."""

    text: str
    style: Style | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict on one line, with what was run and how much of it."""

    verdict: Cell
    names: Sequence[str]
    details: Sequence[str]
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list, one line an item."""

    items: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Column(Generic[_Row]):
    """One column: its title, and its cell in each row. Text may wrap, figures may not.

    A terminal of fewer than ``from_width`` characters leaves the column out; ``shown=False`` leaves it out everywhere.
    """

    title: str
    cell: Callable[[_Row], str | Cell]
    text: bool = False
    from_width: int = 0
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under the columns that are shown; of one with ``top`` short forms show only the first rows."""

    columns: Sequence[Column[Any]]
    rows: Sequence[Sequence[Cell]]
    top: bool = False


Block = Headline | Paragraph | Items | Table

WIDE = 90
"""Terminals of this many characters show all columns."""


def table(columns: Sequence[Column[_Row]], rows: Iterable[_Row], *, top: bool = False) -> Table:
    """The table of ``rows`` under the ``columns`` that are shown."""
    shown = [column for column in columns if column.shown]
    contents = [[column.cell(row) for column in shown] for row in rows]
    return Table(shown, [[Cell(one) if isinstance(one, str) else one for one in row] for row in contents], top)
