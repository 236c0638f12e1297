"""The CPU and memory profiles of a run: an index of folded files, which other tools read as they are."""

from __future__ import annotations

from harness.record.profiles import ProfileIndex
from harness.recording.stream import Stream

PROFILES = Stream(
    name="profiles",
    files=("profiles.json",),
    read=lambda folder: ProfileIndex.load(folder.profiles),
)
