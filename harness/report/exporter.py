"""The one shape that all output formats have. Each format is a file in :mod:`harness.report.exporters`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.report.contents import Report


@dataclass(frozen=True, slots=True)
class Exporter:
    """An output format: what it is called in ``summary.json`` under ``artifacts``, its file, and how it is made.

    ``file`` is the name in the run folder; None if the format is not kept there.
    """

    name: str
    file: str | None
    render: Callable[[Report], str]
