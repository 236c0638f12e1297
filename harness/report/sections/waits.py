"""What the target's threads and tasks wait for while they serve requests, by phase or selected span."""

from __future__ import annotations

from typing import Any

from harness.analysis.waits import MOST, SampledWaits, sampled_waits
from harness.record.explanation import Place
from harness.record.plain_text import plain
from harness.recording.run import PhaseRecord
from harness.report.contents import Report, Section

WORDS = {"lock": "a lock", "queue": "a queue", "sleep": "sleep", "disk": "the disk"}


class Waits(Section):
    id = "waits"
    title = "Waits"
    template = "waits.html"
    scripts = ("profiles.js", "spantables.js", "waits.js")

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None:
            return None
        phases = [
            _phase(record, found)
            for record in report.run.phases
            if (found := sampled_waits(report.run, record)) is not None and found.waiting_s
        ]
        return {"data": phases} if phases else None


def _phase(record: PhaseRecord, found: SampledWaits) -> dict[str, Any]:
    """``spans`` are ``[start_s, end_s, requests]``; each row has the seconds that threads waited, by span."""
    longest = sorted(found.waiting_s, key=lambda each: -each[1].sum())[:MOST]
    starts = [record.start_s + span.offset_s for span in found.profile.spans]
    return {
        "phase": plain(record.title),
        "spans": [
            [round(start, 2), round(start + span.duration_s, 2), round(float(requests), 1)]
            for start, span, requests in zip(starts, found.profile.spans, found.requests, strict=True)
        ],
        "rows": [
            {
                "what": plain(wait.what or WORDS.get(wait.kind, wait.kind)),
                "place": plain(str(Place(function=wait.place.function, file=wait.place.file, line=wait.place.line))),
                "waiting": [round(float(seconds), 2) for seconds in waiting_s],
            }
            for wait, waiting_s in longest
        ],
    }
