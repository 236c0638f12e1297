"""CPU and memory profiles of the target as flame graphs."""

from __future__ import annotations

from typing import Any

from harness.plan.model import AttachedTarget
from harness.report.contents import Report, Section
from harness.report.flame_data import flame_data
from harness.report.sections.verdict import main_phase

_MEMORY_KINDS = {
    "memory-peak": "at the peak of memory",
    "memory-leaked": "never freed (leaked)",
    "memory-allocated": "allocated",
}


class Flames(Section):
    id = "flames"
    title = "Flame graphs"
    template = "flames.html"
    scripts = ("flamegraph.js", "flames.js")

    def values(self, report: Report) -> dict[str, Any]:
        flames = flame_data(report)
        memory = [
            (index, f"{_MEMORY_KINDS[flame['kind']]} · {flame['phase']}")
            for index, flame in enumerate(flames)
            if flame["kind"] != "cpu"
        ]
        main = main_phase(report.summary)
        return {
            "data": flames,
            "cpu": [(index, flame["phase"]) for index, flame in enumerate(flames) if flame["kind"] == "cpu"],
            "memory": memory,
            "part": "Phase" if report.run else "Benchmark",
            "main": main.name if main else None,
            "no_cpu": _missing(report, cpu=True) or _why_no_cpu(report),
            "no_memory": _missing(report, cpu=False) or _why_no_memory(report),
            "notes": [str(note) for note in report.recording.profiles.notes],
        }


def _missing(report: Report, *, cpu: bool) -> str:
    files = [profile.path for profile in report.missing if (profile.kind == "cpu") == cpu]
    return f"Missing from the run folder: {', '.join(files)}." if files else ""


def _why_no_cpu(report: Report) -> str:
    if report.run is not None:
        return "CPU sampling was switched off for this run." if report.run.plan.sampling.cpu is None else ""
    return "" if report.suite and report.suite.plan.profile else "Run `harness bench --profile` to take one."


def _why_no_memory(report: Report) -> str:
    if report.run is None:
        return "" if report.suite and report.suite.plan.memory else "Run `harness bench --memory` to take one."
    if report.run.plan.sampling.memory is None:
        return "Memory sampling was switched off for this run."
    if isinstance(report.run.plan.target, AttachedTarget):
        return "Memory can only be profiled in a target that the harness starts."
    return ""
