"""Reports on a run, made from its folder alone: sections, and exporters for output formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.record.run_folder import RunFolder, write_text

if TYPE_CHECKING:
    from harness.recording import BenchRecording, RunRecording
    from harness.report.contents import Exporter


def write_reports(folder: RunFolder, recording: RunRecording | BenchRecording | None = None) -> None:
    """Write a file for each exporter (``report.html``, ``summary.md``, …) into the run folder ``folder``.

    ``recording`` is its recording, if that was read before.

    A report says what a run lacks (profiles, a baseline, requests); that is no error. Raises :class:`HarnessError` if
    the run is not judged yet, or a file of the folder is missing or damaged.
    """
    from harness.report.contents import read_report

    report = read_report(folder, recording)
    for exporter in _exporters():
        write_text(folder.path / exporter.file, exporter.render(report))


def report_files() -> dict[str, str]:
    """The files that :func:`write_reports` writes, by the name of their format."""
    return {exporter.name: exporter.file for exporter in _exporters()}


def _exporters() -> tuple[Exporter, ...]:
    """Imported when a report is written, as jinja2, numpy and scipy come with them."""
    from harness.report.exporters import EXPORTERS

    return EXPORTERS
