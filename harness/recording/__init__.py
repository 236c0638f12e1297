"""The run folder as one typed object: plan, environment and recorded streams."""

from __future__ import annotations

from harness.record.run_folder import RunFolder
from harness.recording.bench import BenchRecording, read_suite
from harness.recording.run import RunRecording, read_run

__all__ = ["BenchRecording", "RunRecording", "open_recording"]


def open_recording(folder: RunFolder) -> RunRecording | BenchRecording:
    """Open what ``harness run`` or ``harness bench`` made.

    Raises :class:`HarnessError` if its plan is missing or damaged.
    """
    return read_suite(folder) if folder.is_bench else read_run(folder)
