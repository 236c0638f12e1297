"""CSV in UTF-8: the first line names the columns, and all values are text."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from harness.errors import HarnessError

_LONGEST_VALUE = 1 << 24
_LONGEST_LINE = 1 << 26


def read_csv(path: Path, delimiter: str = ",") -> Iterator[dict[str, Any]]:
    """The rows of the file. Raises :class:`HarnessError` with the line of what is wrong."""
    csv.field_size_limit(_LONGEST_VALUE)
    with path.open("rb") as file:
        lines = csv.reader(texts(file, path), delimiter=delimiter, strict=True)
        columns: list[str] | None = None
        while True:
            begin = lines.line_num + 1
            try:
                values = next(lines, None)
            except csv.Error as error:
                raise HarnessError("feeder-csv-invalid", where=f"{path}:{lines.line_num}", error=error) from error
            if values is None:
                return
            if not values:  # an empty line
                continue
            if columns is None:
                columns = _columns(values, path, begin)
            elif len(values) != len(columns):
                raise HarnessError(
                    "feeder-row-ragged", where=f"{path}:{begin}", values=len(values), columns=len(columns)
                )
            else:
                yield dict(zip(columns, values, strict=True))


def _columns(names: list[str], path: Path, line: int) -> list[str]:
    names = [name.strip() for name in names]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if "" in names:
        raise HarnessError("feeder-column-unnamed", where=f"{path}:{line}", column=names.index("") + 1)
    if twice:
        raise HarnessError("feeder-column-twice", where=f"{path}:{line}", name=twice[0])
    return names


def texts(file: IO[bytes], path: Path) -> Iterator[str]:
    """The lines, each decoded by itself.

    Raises :class:`HarnessError` with the line that is too long, or no text in UTF-8.
    """
    for number in itertools.count(1):
        line = file.readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise HarnessError("feeder-line-too-long", where=f"{path}:{number}", most=_LONGEST_LINE)
        if not line:
            return
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise HarnessError(
                "feeder-not-utf8", where=f"{path}:{number}", byte=f"{line[error.start]:#04x}", column=error.start + 1
            ) from error
        if (nul := text.find("\0")) >= 0:  # UTF-16 without a mark is valid UTF-8, too
            raise HarnessError("feeder-nul-byte", where=f"{path}:{number}", column=nul + 1)
        yield text
