"""What each phase asked for and what came of it, and which level a stress phase held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.record.figures import Latency
from harness.record.phase_summary import PhaseSummary
from harness.record.summary import Summary
from harness.report.blocks import WIDE, Block, Cell, Column, Items, table
from harness.report.contents import Report, Section
from harness.report.formatting import counted, in_unit, load, ms, number, percent, rate

_VISIBLE = 0.02
"""Successful requests get a separate row if one of their figures differs by more than this from all requests'."""


class Phases(Section):
    id = "phases"
    title = "Phases"
    template = "phases.html"

    def text(self, summary: Summary) -> Sequence[Block]:
        phases = summary.phases
        if not phases:
            return ()
        open_model = any(phase.model == "open" for phase in phases)
        columns: list[Column[PhaseSummary]] = [
            Column("Phase", lambda phase: phase.title, text=True),
            Column("Goal", lambda phase: phase.goal, text=True, from_width=WIDE),
            Column("Requests", lambda phase: number(phase.requests)),
            Column("Rate", lambda phase: rate(phase.throughput_rps)),
            Column("Errors", lambda phase: Cell(percent(phase.error_rate), "bad" if phase.failures else None)),
            Column("P50", lambda phase: ms(phase.response_ms.p50), from_width=WIDE),
            Column("P95", lambda phase: ms(phase.response_ms.p95)),
            Column("P95 service", lambda phase: ms(phase.service_ms.p95), from_width=WIDE, shown=open_model),
            Column("P99", lambda phase: ms(phase.response_ms.p99)),
            Column("Max", lambda phase: ms(phase.response_ms.max), from_width=WIDE),
            Column("CPU/request", cpu_per_request, from_width=WIDE, shown=any(map(cpu_per_request, phases))),
        ]
        found = [Cell(f"{phase.title}: {each}") for phase in phases for each in (*level_held(phase), *_remarked(phase))]
        return [table(columns, phases), *([Items(found)] if found else [])]

    def values(self, report: Report) -> dict[str, Any] | None:
        if report.run is None:
            return None
        until = {
            record.index: record.plan.until.source for record in report.run.phases if record.plan.until is not None
        }
        phases = [
            (phase, latency_rows(phase), remarks(phase), cpu_per_request(phase)) for phase in report.summary.phases
        ]
        return {"phases": phases, "until": until}


def level_held(phase: PhaseSummary) -> Sequence[str]:
    """What a stress or search phase found; nothing for others, and where it is not known whether a step held."""
    broke = min((step.level for step in phase.steps if step.held is False and not step.generator_limited), default=None)
    capacity = phase.held if phase.capacity is None else phase.capacity
    if not capacity:
        return [] if broke is None else [f"did not hold {load(round(broke), phase.model)}, its lowest step"]
    held = load(round(capacity), phase.model)
    if broke is not None:
        return [f"held {held}{_ends(phase)}, did not hold {number(round(broke))}"]
    if any(step.generator_limited for step in phase.steps):
        return [f"held at least {held}; above, the load generator was the bottleneck"]
    cut_short = f" ({phase.cut_short})" if phase.cut_short else ""
    return [f"held {held}; it found no limit{cut_short}"]


def _ends(phase: PhaseSummary) -> str:
    low, high = phase.capacity_interval or (0.0, None)
    if not low and high is None:  # short steps of few requests: nothing is certain
        return ""
    return f" [{number(round(low))}…{'?' if high is None else number(round(high))}]"


def remarks(phase: PhaseSummary) -> dict[str, str]:
    """What to bear in mind when reading the figures of a phase, and why; the reason may be empty."""
    dropped = f"{counted(phase.dropped, 'arrival')} dropped: no user was free until the end"
    given = {
        "the load generator was the bottleneck": phase.generator_limited,
        "response times may be shorter than shown": phase.generator_strained,
        dropped: "" if phase.dropped else None,
        **_contamination(phase),
        **_faulted(phase),
    }
    return {remark: why for remark, why in given.items() if why is not None}


def _remarked(phase: PhaseSummary) -> list[str]:
    """The remarks, those on seconds that gates leave out with the figures that gates read; warnings have the rest."""
    with_figures = {**_contamination(phase), **_faulted(phase)}
    return [f"{each}; {with_figures[each]}" if with_figures.get(each) else each for each in remarks(phase)]


def cpu_per_request(phase: PhaseSummary) -> str:
    """The target's CPU time per request; empty where it is not known."""
    figure = phase.intervals.get("cpu_per_request")
    return "" if figure is None else ms(figure.value)


def _contamination(phase: PhaseSummary) -> dict[str, str]:
    """A remark that gates leave out the contaminated time. If too little is left, there is a warning instead."""
    found = phase.contamination
    if found is None or not phase.measured or not found.left_out:
        return {}
    remark = (
        f"other processes took {found.others_cores:.1f} cores from the target or the load generator"
        f" for {percent(found.share)} of the time"
    )
    clean = found.clean.get("p95")
    return {remark: "gates leave it out" + (f"; without it, P95 is {ms(clean.value)}" if clean else "")}


def _faulted(phase: PhaseSummary) -> dict[str, str]:
    """A remark that faults disturbed it, with its figures without them. If too little is left, a warning says so."""
    found = phase.faulted
    if found is None or not phase.measured or not found.leaves_enough:
        return {}
    remark = f"faults disturbed it for {percent(found.share)} of the time"
    calm = [("P95", "p95", "ms"), ("error rate", "error_rate", "%")]
    figures = [f"{name} is {in_unit(found.calm[key].value, unit)}" for name, key, unit in calm if key in found.calm]
    return {remark: f"without that, {' and '.join(figures)}" if figures else ""}


def latency_rows(phase: PhaseSummary) -> list[tuple[str, Latency]]:
    """Response times; service times in the open model; those of successful requests if visibly different."""
    rows = [("response", phase.response_ms)]
    if phase.model == "open":
        rows.append(("service", phase.service_ms))
    if phase.failures and _differ(phase.ok_response_ms, phase.response_ms):
        rows.append(("successful", phase.ok_response_ms))
    return rows


def _differ(one: Latency, other: Latency) -> bool:
    pairs = zip(one.model_dump().values(), other.model_dump().values(), strict=True)
    return any(a is not None and b is not None and abs(a - b) > _VISIBLE * b for a, b in pairs)
