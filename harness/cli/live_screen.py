"""What the live view shows: parts of the screen, each as tall as its rank and the terminal allow."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from harness.analysis.generator import BUSY, DISTORTION, STALL
from harness.api.plain_output import clock, errors, gate_name, load_now, stands
from harness.cli.live_layout import FIGURE, NARROW, SPARE, Part, aligned
from harness.cli.live_target import TargetFigures
from harness.gates.live import LiveGate
from harness.gates.run_totals import KEPT_S, RunTotals
from harness.metrics.aggregate import Aggregate
from harness.plan.duet import A, B
from harness.plan.model.phase import Phase
from harness.plan.model.run import RunPlan
from harness.record.journal_entries import PhaseSpan
from harness.record.plain_text import one_line
from harness.report.formatting import load as level_of
from harness.report.formatting import ms, number, percent, size

RECENT_S = 5
"""How many seconds "now" spans."""

_BARS = "▁▂▃▄▅▆▇█"
_BAR = 20
_LABEL = 11
_MESSAGES = 5
_FAILURES = 5
_QUANTILES = {"P50": 0.5, "P95": 0.95, "P99": 0.99, "max": 1.0}


def header(plan: RunPlan, elapsed_s: float, width: int) -> Part:
    """Scenario, profile, elapsed and planned time."""
    total_s = sum(phase.duration_s for phase in plan.phases)
    # A stress phase ends when its limit breaks, a shape when it likes.
    open_ended = any(phase.until is not None for phase in plan.phases)
    total = f" / {'≤ ' if open_ended else ''}{clock(total_s)}" if total_s else ""
    name = Text.assemble((one_line(plan.scenario.name), "bold"), (f"  profile {one_line(plan.profile)}", "dim"))
    time = Text(f" {clock(elapsed_s)}{total}", style="bold")
    name.align("left", max(1, width - time.cell_len))
    return Part(0, [name + time], air=False)


def folders(folder: str, target: str) -> Part:
    """The target and the run folder."""
    return Part(6, [Text(f"target {one_line(target)}", style="dim"), Text(one_line(folder), style="dim")])


def phases(totals: RunTotals, now_s: float, width: int) -> Part:
    """A row per phase: done, running with its bar, or to come."""
    rows = []
    current = totals.current
    for index, phase in enumerate(totals.plan.phases):
        span, name = totals.spans.get(index), one_line(phase.name)
        if span is None:
            rows.append((Text(f"  · {name}", style="dim"), Text(one_line(phase.description), "dim")))
        elif span.end_s is None:
            name_cell = Text.assemble(("  ▶ ", "bold cyan"), (name, "bold"))
            rows.append((name_cell, _running(phase, span, now_s)))
        else:
            mark = ("  ✔ ", "green") if span.reason == "done" else ("  ■ ", "yellow")
            rows.append((Text.assemble(mark, name), _done(totals, phase, span, span.end_s)))
    return Part(0, aligned(rows, most=[4 + width // 4]), keep=current.phase if current is not None else 0)


def _done(totals: RunTotals, phase: Phase, span: PhaseSpan, end_s: float) -> Text:
    total = totals.total(span.phase)
    figures = "no requests"
    if total is not None and total.requests:
        p95 = ms(total.quantile(0.95))
        figures = f"{number(total.rate)}/s  P95 {p95}  errors {errors(total.failures, total.requests)}"
    held = ""
    if span.held_segment is not None:
        phase = totals.phase(span)
        held = f"  held {number(phase.segments[span.held_segment].end)} so far"  # see PlainOutput._print_end
    return Text(f"{clock(end_s - span.start_s)}  {figures}{held}")


def _running(phase: Phase, span: PhaseSpan, now_s: float) -> Text:
    elapsed_s = max(0.0, now_s - span.start_s)
    if not phase.duration_s:
        return Text(clock(elapsed_s))
    done = min(_BAR, round(_BAR * elapsed_s / phase.duration_s))
    step = f"step {len(span.segments)}/{len(phase.segments)}  " if phase.until is not None else ""
    return Text.assemble(
        f"{clock(elapsed_s)} / {clock(phase.duration_s)}  {step}",
        ("━" * done, "cyan"),
        ("━" * (_BAR - done), "bright_black"),
        (f"  {one_line(phase.description)}", "dim"),
    )


def faults(totals: RunTotals, now_s: float) -> Part:
    """The active faults, and for how long they have been active."""
    at_s = totals.epoch_s + now_s
    at_work = totals.faults.at_work(at_s) if totals.faults is not None and totals.epoch_s else []
    rows = [
        Text.assemble(
            ("  ⚡ ", "bold magenta"),
            (one_line(fault.name), "bold"),
            f"  {one_line(fault.kind)}  {clock(at_s - fault.began_s)}",
            ("  gates leave these seconds out", "dim"),
        )
        for fault in at_work
    ]
    return Part(0, rows, air=False)


def load(totals: RunTotals, width: int) -> Part:
    """Users or arrivals and their goal, throughput, errors."""
    span = totals.current
    if span is None:
        return Part(0, [Text("waiting for the load processes", style="dim")])
    phase, total, latest = totals.phase(span), totals.total(span.phase), totals.latest()
    requests, failures = (total.requests, total.failures) if total is not None else (0, 0)
    now = f"{number(totals.last(RECENT_S).rate)}/s"
    bad = "bold red" if failures else "bold"
    if width < NARROW:
        text = Text.assemble((load_now(totals, phase, span), "bold"), f"  {now}  ", (f"errors {number(failures)}", bad))
    else:
        text = Text.assemble(("load ", "dim"), (load_now(totals, phase, span), "bold"))
        text.append("   requests ", style="dim").append(now, style="bold")
        text.append("   errors ", style="dim").append(errors(failures, requests), style=bad)
    if phase.model == "open" and latest is not None:
        text.append("   waiting ", style="dim").append(number(latest.waiting), style="yellow" if latest.waiting else "")
    return Part(0, [text], air=False)


def percentiles(totals: RunTotals, width: int) -> Part:
    """Response times of the last seconds and of the phase; in the open model service times, too."""
    span = totals.current
    if span is None:
        return Part(1, [])
    names = list(_QUANTILES)[: max(1, (width - _LABEL) // FIGURE)]

    def row(label: str, requests: Aggregate | None) -> list[Text]:
        values = [requests.quantile(_QUANTILES[name]) if requests else None for name in names]
        return [Text(label), *(Text(ms(value)) for value in values)]

    rows = [
        [Text(""), *(Text(name, style="dim") for name in names)],
        row(f"last {RECENT_S} s", totals.last(RECENT_S)),
        *(
            [row(f"build {name.upper()}", totals.build(span.phase, name)) for name in (A, B)]
            if totals.plan.is_duet
            else [row("phase", totals.total(span.phase))]
        ),
    ]
    if totals.phase(span).model == "open":
        rows.append(row("· service", totals.service(span.phase)))
    return Part(1, aligned(rows, figures=len(names)), least=2, keep=1)


def sparklines(totals: RunTotals, width: int) -> Part:
    """Throughput and P95 of the last minute, a character per second."""
    room = min(KEPT_S, width - _LABEL - FIGURE)
    seconds = totals.recent(max(0, room))
    if room < 8 or len(seconds) < 2:
        return Part(4, [])
    rates: list[float | None] = [float(second.all.requests) for second in seconds]
    p95s = [second.all.quantile(0.95) for second in seconds]
    return Part(
        4,
        [
            Text.assemble(f"{'requests/s':<{_LABEL}}", (_spark(rates), "cyan"), f" {number(rates[-1])}"),
            Text.assemble(f"{'P95':<{_LABEL}}", (_spark(p95s), "magenta"), f" {ms(p95s[-1])}"),
        ],
        least=2,
    )


def target(figures: TargetFigures, width: int) -> Part:
    """CPU and memory of the target's processes over the last minute."""
    room = max(0, min(KEPT_S, width - _LABEL - FIGURE))
    cores, memory = figures.cores, figures.memory_bytes
    if not cores or not memory:
        return Part(3, [])
    if room < 8:
        return Part(3, [Text(f"target {percent(cores[-1])} of a core  {size(memory[-1])}")])
    return Part(
        3,
        [
            Text.assemble(f"{'target CPU':<{_LABEL}}", (_spark(cores[-room:]), "cyan"), f" {percent(cores[-1])}"),
            Text.assemble(f"{'memory':<{_LABEL}}", (_spark(memory[-room:]), "magenta"), f" {size(memory[-1])}"),
        ],
    )


def _spark(values: Sequence[float | None]) -> str:
    """Bars from 0 to the greatest value, with gaps for missing values."""
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    return "".join(
        " " if value is None else _BARS[min(len(_BARS) - 1, int(value / top * len(_BARS)))] for value in values
    )


def gates_title(standing: Sequence[LiveGate]) -> Part:
    """How many gates hold."""
    if not standing:
        return Part(2, [])
    broken = sum(gate.holds is False for gate in standing)
    held = sum(gate.holds is True for gate in standing)
    title = Text.assemble(
        ("gates so far ", "bold"), (f"{held} {'holds' if held == 1 else 'hold'}", "green" if held else "dim")
    )
    if broken:
        title.append(f", {broken} {'does' if broken == 1 else 'do'} not", style="bold red")
    if len(standing) > held + broken:
        title.append(f", {len(standing) - held - broken} still open", style="dim")
    return Part(2, [title], air=False)


def gates(standing: Sequence[LiveGate], current: str | None, width: int) -> Part:
    """Each gate: those that do not hold first, then those of the current phase."""

    def order(gate: LiveGate) -> tuple[bool, bool, bool]:
        return (gate.holds is not False, gate.phase != current, gate.holds is None)

    rows = []
    for gate in sorted(standing, key=order):
        mark, style = {True: ("✔", "green"), False: ("✖", "bold red"), None: ("·", "dim")}[gate.holds]
        state = Text(stands(gate), style=style)
        name = Text.assemble((f"  {mark} ", style), gate_name(gate))
        rows.append((name, Text(one_line(gate.phase), "dim"), state))
    return Part(5, aligned(rows, most=[width // 2, width // 5]), least=2)


def generator(totals: RunTotals) -> Part:
    """How busy the load generator is, and a warning if it is the bottleneck."""
    seconds = totals.recent(RECENT_S)
    if not seconds:
        return Part(3, [])
    cpu = sum(second.cpu_max for second in seconds) / len(seconds)
    lag_ms = sum(second.lag_ms_max for second in seconds) / len(seconds)
    p95_ms = totals.last(RECENT_S).quantile(0.95)
    stalled = lag_ms > 1000 * STALL and p95_ms is not None and lag_ms > DISTORTION * p95_ms
    limited = cpu > BUSY or stalled
    text = Text.assemble(("generator  ", "dim"), f"CPU {percent(cpu)}   lag {ms(lag_ms)}")
    if limited:
        text.append("   ◀ the bottleneck, not the target", style="bold red")
    return Part(0 if limited else 3, [text])


def failures(totals: RunTotals, width: int) -> Part:
    """The most frequent failures of the whole run."""
    rows = [
        (Text(f"  {number(count)}×", "red"), Text(one_line(str(endpoint))), Text(one_line(failure)))
        for (endpoint, failure), count in totals.failures.most_common(_FAILURES)
    ]
    return Part(4, aligned(rows, most=[FIGURE, width // 3]))


def steps(totals: RunTotals, *, alone: bool) -> Part:
    """Each step of a stress or search phase, and once the phase is over, whether it held."""
    span, found = totals.current, totals.steps
    if span is None or not found:
        return Part(SPARE, [])
    phase = totals.phase(span)
    heads = (f"steps of {one_line(phase.name)}", "requests/s", "P95", "errors")
    rows = [tuple(Text(head, style="dim") for head in heads)]
    for step, total in found.items():
        held = span.held_segment is not None and step <= span.held_segment
        broke = not held and span.end_s is not None and phase.until is not None
        mark, style = ("✔", "green") if held else ("✖", "bold red") if broke else ("·", "dim")
        level = level_of(phase.segments[step].end, phase.model)
        figures = (number(total.rate), ms(total.quantile(0.95)), errors(total.failures, total.requests))
        rows.append((Text.assemble((f"  {mark} ", style), level), *map(Text, figures)))
    return Part(0 if alone else SPARE, aligned(rows, figures=3))


def endpoints(totals: RunTotals, width: int, most: int) -> Part:
    """The slowest endpoints of the phase."""
    if width < NARROW or most < 1 or not totals.endpoints:
        return Part(SPARE, [])
    slowest = sorted(totals.endpoints.items(), key=lambda entry: -(entry[1].quantile(0.95) or 0))[:most]
    of = "build B" if totals.plan.is_duet else "the phase"
    heads = (f"slowest endpoints of {of}", "requests", "P50", "P95", "errors")
    rows = [tuple(Text(head, style="dim") for head in heads)]
    for endpoint, total in slowest:
        figures = (number(total.requests), ms(total.quantile(0.5)), ms(total.quantile(0.95)), number(total.failures))
        rows.append((Text(f"  {one_line(endpoint)}"), *map(Text, figures)))
    return Part(SPARE, aligned(rows, most=[width - 4 * FIGURE], figures=4))


def messages(noted: Sequence[tuple[str, str]]) -> Part:
    """The last messages with their times; the newest stays longest."""
    rows = [Text.assemble((f"{when:>7}  ", "dim"), (one_line(text), "yellow")) for when, text in noted[-_MESSAGES:]]
    return Part(1, rows, keep=len(rows) - 1)
