"""What the live view shows, as lines of text, fitted to the terminal's size.

Every line has a rank; on a small terminal the lines of the highest ranks stay. Texts of the target are made harmless.
Nothing is computed twice: figures change once a second, and only then are they drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from harness.analysis.generator import BUSY, DISTORTION, STALL
from harness.api.plain_output import clock, errors, gate_name, load_now, one_line, stands
from harness.gates.live import LiveGate
from harness.gates.run_totals import KEPT_S, RunTotals
from harness.metrics.aggregate import Aggregate
from harness.plan.model import Phase, RunPlan
from harness.record.journal_entries import PhaseSpan
from harness.report.formatting import ms, number, percent

RECENT_S = 5
"""The stretch, in seconds, of "now"."""

_BARS = "▁▂▃▄▅▆▇█"
_LABEL = 11
_FIGURE = 10
_BLANK = 9
_MESSAGES = 5
_NARROW = 60
_SHOWN = {"P50": 0.5, "P95": 0.95, "P99": 0.99, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the screen; lines of a lower ``rank`` stay longer when room is short."""

    rank: int
    text: Text


def fit(lines: Sequence[Line], width: int, height: int) -> list[Text]:
    """The ``height`` lines that matter most, in their order, none wider than ``width``."""
    kept = sorted(sorted(range(len(lines)), key=lambda at: (lines[at].rank, at))[:height])
    texts = [lines[at].text for at in kept]
    for text in texts:
        text.no_wrap = True
        text.truncate(max(1, width), overflow="ellipsis")
    return texts


def header(plan: RunPlan, folder: str, target: str, elapsed_s: float, width: int) -> list[Line]:
    """Scenario, profile, time; then the target and the run folder."""
    total_s = sum(phase.duration_s for phase in plan.phases)
    # A stress phase ends when its limit breaks, a shape when it likes.
    open_ended = any(phase.until is not None for phase in plan.phases)
    total = f" / {'≤ ' if open_ended else ''}{clock(total_s)}" if total_s else ""
    left = Text.assemble((one_line(plan.scenario.name), "bold"), (f"  profile {one_line(plan.profile)}", "dim"))
    right = Text(f"{clock(elapsed_s)}{total}", style="bold")
    left.truncate(max(1, width - right.cell_len - 1), overflow="ellipsis", pad=True)
    return [
        Line(0, Text.assemble(left, " ", right)),
        Line(6, Text(f"target {one_line(target)}", style="dim")),
        Line(5, Text(one_line(folder), style="dim")),
    ]


def phases(totals: RunTotals, now_s: float, width: int) -> list[Line]:
    """A line a phase: done, running with its bar, or to come."""
    lines = []
    current = totals.current
    at = current.phase if current is not None else -1
    names = [one_line(phase.name) for phase in totals.plan.phases]
    column = min(max((cell_len(name) for name in names), default=0), max(4, width // 4))
    for index, phase in enumerate(totals.plan.phases):
        span = totals.spans.get(index)
        running = span is not None and span.end_s is None
        # The one that runs always stays; then the next ones, the nearest first.
        rank = 0 if running or (index == at) else min(8, 2 + abs(index - at))
        name = set_cell_size(names[index], column)
        if span is None:
            text = Text.assemble("  · ", name, "  ", one_line(phase.description), style="dim")
        elif running:
            text = _running(phase, span, name, now_s, width)
        else:
            text = _done(totals, phase, span, name)
        lines.append(Line(rank, text))
    return lines


def _done(totals: RunTotals, phase: Phase, span: PhaseSpan, name: str) -> Text:
    assert span.end_s is not None
    held = ""
    if span.held_segment is not None:
        held = f"  held {number(phase.segments[span.held_segment].end)} so far"  # see LineWatcher._tell_end
    total = totals.total(span.phase)
    figures = "no requests"
    if total is not None and total.requests:
        p95 = ms(total.quantile(0.95))
        figures = f"{number(total.rate)}/s  P95 {p95}  errors {errors(total.failures, total.requests)}"
    mark = ("  ✔ ", "green") if span.reason == "done" else ("  ■ ", "yellow")
    return Text.assemble(mark, name, "  ", clock(span.end_s - span.start_s), "  ", figures, held)


def _running(phase: Phase, span: PhaseSpan, name: str, now_s: float, width: int) -> Text:
    elapsed_s = max(0.0, now_s - span.start_s)
    step = f"  step {len(span.segments)}/{len(phase.segments)}" if phase.until is not None else ""
    timing = f"{clock(elapsed_s)} / {clock(phase.duration_s)}" if phase.duration_s else clock(elapsed_s)
    text = Text.assemble(("  ▶ ", "bold cyan"), (name, "bold"), "  ")
    tail = f"  {timing}{step}"
    room = width - text.cell_len - cell_len(tail)
    if phase.duration_s and room >= 6:
        size = min(room, width // 3)
        done = min(size, round(size * elapsed_s / phase.duration_s))
        text.append("━" * done, style="cyan").append("━" * (size - done), style="bright_black")
        text.append(tail)
        if room - size > 12:
            text.append(f"  {one_line(phase.description)}", style="dim")
    else:
        text.append(tail.strip())
    return text


def load(totals: RunTotals, width: int) -> list[Line]:
    """Users or arrivals against the goal, throughput, errors; then percentiles of now and of the phase."""
    span = totals.current
    if span is None:
        return [Line(0, Text("waiting for the load processes", style="dim"))]
    phase, total, now = totals.phase(span), totals.total(span.phase), totals.last(RECENT_S)
    requests, failures = (total.requests, total.failures) if total is not None else (0, 0)
    bad = "bold red" if failures else "bold"
    if width < _NARROW:
        first = Text.assemble((load_now(totals, phase, span), "bold"), f"  {number(now.rate)}/s  ")
        first.append(f"errors {number(failures)}", style=bad)
    else:
        first = Text.assemble(("load ", "dim"), (load_now(totals, phase, span), "bold"))
        first.append("   requests ", style="dim").append(f"{number(now.rate)}/s", style="bold")
        first.append("   errors ", style="dim").append(errors(failures, requests), style=bad)
    latest = totals.latest()
    if phase.model == "open" and latest is not None:
        first.append("   waiting ", style="dim").append(
            number(latest.waiting), style="yellow" if latest.waiting else ""
        )
    lines = [
        Line(0, first),
        Line(2, Text(_row(width, "", list(_SHOWN)), style="dim")),
        Line(1, Text(_percentiles(width, f"last {RECENT_S} s", now))),
        Line(3, Text(_percentiles(width, "phase", total))),
    ]
    if phase.model == "open":
        lines.append(Line(4, Text(_percentiles(width, "· service", totals.service(span.phase)))))
    return lines


def _row(width: int, label: str, cells: Sequence[str]) -> str:
    """As many cells as there is room for, but one at least."""
    room = max(1, (width - _LABEL) // _FIGURE)
    return f"{label:<{_LABEL}}" + "".join(f"{cell:>{_FIGURE}}" for cell in cells[:room])


def _percentiles(width: int, label: str, requests: Aggregate | None) -> str:
    return _row(width, label, [ms(requests.quantile(q) if requests else None) for q in _SHOWN.values()])


def sparklines(totals: RunTotals, width: int) -> list[Line]:
    """The last minute's throughput and P95, a character a second."""
    room = min(KEPT_S, width - _LABEL - _FIGURE)
    seconds = totals.recent(max(0, room))
    if room < 8 or len(seconds) < 2:
        return []
    rates: list[float | None] = [float(second.all.requests) for second in seconds]
    p95s = [second.all.quantile(0.95) for second in seconds]
    return [
        Line(4, _spark("requests/s", rates, number(rates[-1]), "cyan")),
        Line(4, _spark("P95", p95s, ms(p95s[-1]), "magenta")),
    ]


def _spark(label: str, values: Sequence[float | None], now: str, style: str) -> Text:
    """Bars from 0 to the greatest value; a gap where there is none."""
    top = max((value for value in values if value is not None), default=0.0)
    bars = "".join(
        " " if value is None else _BARS[min(len(_BARS) - 1, int(value / top * len(_BARS)))] if top else _BARS[0]
        for value in values
    )
    return Text.assemble(f"{label:<{_LABEL}}", (bars, style), f" {now}")


def gates(standing: Sequence[LiveGate], current: str | None, width: int) -> list[Line]:
    """Each gate as it stands, those that do not hold first, then those of the phase that runs."""
    if not standing:
        return []
    broken = sum(gate.holds is False for gate in standing)
    held = sum(gate.holds is True for gate in standing)
    title = Text.assemble(("gates ", "bold"), (f"{held} {_hold(held)}", "green" if held else "dim"))
    if broken:
        title.append(f", {broken} {'does' if broken == 1 else 'do'} not", style="bold red")
    if len(standing) > held + broken:
        title.append(f", {len(standing) - held - broken} still open", style="dim")

    def order(gate: LiveGate) -> tuple[bool, bool, bool]:
        return (gate.holds is not False, gate.phase != current, gate.holds is None)

    names = [gate_name(gate) for gate in standing]
    column = min(max(cell_len(name) for name in names), width // 2)
    phase_column = min(max(cell_len(one_line(gate.phase)) for gate in standing), width // 5)
    lines = [Line(2, title)]
    for place, (gate, name) in enumerate(sorted(zip(standing, names, strict=True), key=lambda pair: order(pair[0]))):
        mark, style = {True: ("✔", "green"), False: ("✖", "bold red"), None: ("·", "dim")}[gate.holds]
        text = Text.assemble((f"  {mark} ", style), set_cell_size(name, column))
        text.append(f"  {set_cell_size(one_line(gate.phase), phase_column)}  ", style="dim")
        text.append(stands(gate), style=style)
        lines.append(Line(2 if place < 2 else 4 if place < 4 else 7, text))
    return lines


def _hold(count: int) -> str:
    return "holds" if count == 1 else "hold"


def generator(totals: RunTotals) -> list[Line]:
    """How the load generator fares; told loudly where it, and not the target, is the limit."""
    seconds = totals.recent(RECENT_S)
    if not seconds:
        return []
    cpu = sum(second.cpu_max for second in seconds) / len(seconds)
    lag_ms = sum(second.lag_ms_max for second in seconds) / len(seconds)
    p95_ms = totals.last(RECENT_S).quantile(0.95)
    stalled = lag_ms > 1000 * STALL and p95_ms is not None and lag_ms > DISTORTION * p95_ms
    limited = cpu > BUSY or stalled
    text = Text.assemble(("generator  ", "dim"), f"CPU {percent(cpu)}   lag {ms(lag_ms)}")
    if limited:
        text.append("   ◀ the generator is the limit, not the target", style="bold red")
    return [Line(0 if limited else 3, text)]


def failure_kinds(totals: RunTotals, most: int) -> list[Line]:
    """The most frequent kinds of failure of the whole run."""
    lines = []
    for place, ((endpoint, failure), count) in enumerate(totals.failures.most_common(most)):
        text = Text.assemble((f"  {number(count)}× ", "red"), one_line(str(endpoint)), f"  {one_line(failure)}")
        lines.append(Line(3 if place == 0 else 6, text))
    return [Line(5, Text("errors", style="bold")), *lines] if lines else []


def endpoints(totals: RunTotals, width: int, most: int) -> list[Line]:
    """The phase's ``most`` slowest endpoints, where there is room for them."""
    column = width - 4 * _FIGURE
    if column < 16 or most < 2 or not totals.endpoints:
        return []
    slowest = sorted(totals.endpoints.items(), key=lambda entry: -(entry[1].quantile(0.95) or 0))[: most - 1]
    heads = "".join(f"{head:>{_FIGURE}}" for head in ("requests", "P50", "P95", "errors"))
    lines = [Line(8, Text(set_cell_size("slowest endpoints of the phase", column) + heads, style="dim"))]
    for endpoint, total in slowest:
        p50, p95 = ms(total.quantile(0.5)), ms(total.quantile(0.95))
        cells = (number(total.requests), p50, p95, number(total.failures))
        figures = "".join(f"{cell:>{_FIGURE}}" for cell in cells)
        lines.append(Line(8, Text(set_cell_size("  " + one_line(endpoint), column) + figures)))
    return lines


def messages(said: Sequence[tuple[str, str]]) -> list[Line]:
    """The last messages, each with its time; the newest stays longest."""
    shown = list(said)[-_MESSAGES:]
    return [
        Line(1 if place == len(shown) - 1 else 6, Text.assemble((f"{when:>7}  ", "dim"), (one_line(text), "yellow")))
        for place, (when, text) in enumerate(shown)
    ]


def blank() -> Line:
    """Air between two parts."""
    return Line(_BLANK, Text(""))
