"""Writes a result to the files that ``--report`` names, each in the form of its suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from rich.text import Text

from harness.cli.outcome import file_line
from harness.errors import HarnessError
from harness.messages import Option
from harness.record.run_folder import write_text

Result = TypeVar("Result")


def check_report_files(files: Sequence[Path], forms: Mapping[str, Callable[[Result], str]]) -> None:
    """Raise :class:`HarnessError` for a file of no known form, or in no folder, before there is a result."""
    for file in files:
        if file.suffix not in forms:
            raise HarnessError("report-file-suffix", where=Option("report", file), known=[*forms])
        if not file.parent.is_dir():
            raise HarnessError("report-file-folder", where=Option("report", file))


def write_report_files(
    files: Sequence[Path], forms: Mapping[str, Callable[[Result], str]], result: Result
) -> list[Text]:
    """Write ``result`` to each file; returns the lines that name them."""
    for file in files:
        write_text(file, forms[file.suffix](result))
    return [file_line("report", file) for file in files]
