"""JSON lines in UTF-8: a JSON value on each line, most often an object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.feeders.csv_rows import texts
from harness.record.strict_json import parse_json_once


def read_json_lines(path: Path) -> Iterator[Any]:
    """The rows of the file. Raises :class:`HarnessError` with the line of what is wrong."""
    with path.open("rb") as file:
        for number, text in enumerate(texts(file, path), 1):
            if text.strip():
                try:
                    yield parse_json_once(text)
                except (ValueError, RecursionError) as error:
                    raise HarnessError("feeder-json-invalid", where=f"{path}:{number}", error=error) from error
