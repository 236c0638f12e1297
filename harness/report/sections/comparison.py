"""Two builds side by side: the verdict, every figure with its change, and the runs they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.metrics.formatting import title
from harness.record.comparison import ComparedFigure, ComparedRun, Comparison, Outcome
from harness.report.blocks import WIDE, Block, Cell, Column, Headline, Items, Paragraph, Style, table
from harness.report.contents import ComparisonSection
from harness.report.formatting import counted, date_time, in_unit
from harness.report.sections.baseline import at_equal_speed, interval_of, relative, size

_STYLES: dict[Outcome, Style] = {"worse": "fail", "inconclusive": "inconclusive", "not worse": "pass", "better": "pass"}
_ORDER: tuple[Outcome, ...] = ("worse", "inconclusive", "better", "not worse")


class ComparisonVerdict(ComparisonSection):
    id = "verdict"
    title = ""
    template = "comparison_verdict.html"

    def text(self, summary: Comparison) -> Sequence[Block]:
        sides = [f"A: {_named(summary.a)}", f"B: {_named(summary.b)}"]
        headline = Headline(Cell(summary.verdict, _STYLES[summary.verdict]), (summary.b[0].scenario,), sides)
        return [headline, Items([Cell(reason.text) for reason in summary.reasons])]

    def values(self, report: Comparison) -> dict[str, Any]:
        counts = {outcome: len(report.of(outcome)) for outcome in _ORDER}
        return {"style": _STYLES[report.verdict], "counts": counts}


class ComparedFigures(ComparisonSection):
    """What decides the verdict, and what else has clearly changed; the page shows every figure."""

    id = "figures"
    title = "Figures"
    template = "comparison.html"

    def text(self, summary: Comparison) -> Sequence[Block]:
        figures = _worst_first(summary.figures)
        decisive = [figure for figure in figures if figure.decides]
        changed = [figure for figure in figures if not figure.decides and figure.outcome in ("worse", "better")]
        settle: dict[str, list[ComparedFigure]] = {}
        for figure in decisive:
            if figure.settle is not None:
                settle.setdefault(figure.settle.text, []).append(figure)
        blocks: list[Block] = [table(_columns(summary), decisive), *map(Paragraph, at_equal_speed(summary.figures))]
        if settle:
            blocks.append(Items([Cell(f"{_places(of)}: {text}", "inconclusive") for text, of in settle.items()]))
        if changed:
            blocks.append(table(_columns(summary), changed, top=True))
        return blocks

    def values(self, report: Comparison) -> dict[str, Any]:
        phases: dict[str, list[tuple[ComparedFigure, Bar]]] = {}
        for figure in _worst_first(report.figures):
            phases.setdefault(figure.phase, []).append((figure, _bar(figure)))
        return {
            "phases": phases,
            "styles": _STYLES,
            "what": "Endpoint" if report.kind == "run" else "Benchmark",
            "at_equal_speed": at_equal_speed(report.figures),
            "title": title,
            "relative": relative,
            "interval_of": interval_of,
        }


class ComparedRuns(ComparisonSection):
    id = "runs"
    title = "Runs"

    def text(self, summary: Comparison) -> Sequence[Block]:
        rows = [(side, run) for side, runs in (("A", summary.a), ("B", summary.b)) for run in runs]
        columns: list[Column[tuple[str, ComparedRun]]] = [
            Column("Build", lambda row: row[0], text=True),
            Column("Run", lambda row: row[1].run_id, text=True),
            Column("Started", lambda row: date_time(row[1].started_at), text=True, from_width=WIDE),
            Column("Profile", lambda row: row[1].profile, text=True, from_width=WIDE),
            Column("Verdict", lambda row: row[1].verdict or "–", text=True),
            Column("Environment", lambda row: row[1].fingerprint or "–", text=True, from_width=WIDE),
        ]
        remarks = [Cell(remark.text, "warning") for remark in summary.remarks]
        return [table(columns, rows), *([Items(remarks)] if remarks else [])]


class Bar(NamedTuple):
    """The interval of a worsening in the width of a table's cell, from 0 to 120; 60 is no change."""

    low: float
    at: float
    high: float
    margin: float


_HALF_WIDTH = 60.0
_MARGINS_SHOWN = 4.0


def _bar(figure: ComparedFigure) -> Bar:
    sign = 1 if figure.better == "lower" else -1
    unit = max(figure.margin, 1e-6)

    def at(value: float | None) -> float:
        margins = _MARGINS_SHOWN * sign if value is None else sign * value / unit
        return _HALF_WIDTH * (1 + max(-_MARGINS_SHOWN, min(_MARGINS_SHOWN, margins)) / _MARGINS_SHOWN)

    ends = sorted(map(at, figure.interval or (figure.change, figure.change)))
    return Bar(ends[0], at(figure.change), ends[1], _HALF_WIDTH * (1 + 1 / _MARGINS_SHOWN))


def _columns(comparison: Comparison) -> list[Column[ComparedFigure]]:
    is_run = comparison.kind == "run"
    return [
        Column("Outcome", lambda row: Cell(row.outcome, _STYLES[row.outcome]), text=True),
        Column("Change", lambda row: relative(row, row.change)),
        Column("95 % interval", interval_of, from_width=70),
        Column("Figure", lambda row: title(row.metric), text=True),
        Column("Endpoint" if is_run else "Benchmark", lambda row: row.endpoint or "all endpoints", text=True),
        Column("Phase", lambda row: row.phase, text=True, shown=is_run),
        Column("A", lambda row: in_unit(row.baseline, row.unit), from_width=WIDE),
        Column("B", lambda row: in_unit(row.observed, row.unit), from_width=WIDE),
        Column("Margin", lambda row: relative(row, row.margin), from_width=WIDE),
    ]


def _worst_first(figures: Sequence[ComparedFigure]) -> list[ComparedFigure]:
    return sorted(figures, key=lambda figure: (_ORDER.index(figure.outcome), size(figure)))


def _places(figures: Sequence[ComparedFigure]) -> str:
    names = [f"{title(figure.metric)} of {figure.endpoint or 'all endpoints'} in {figure.phase}" for figure in figures]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _named(runs: Sequence[ComparedRun]) -> str:
    return runs[0].run_id if len(runs) == 1 else counted(len(runs), "run")
