"""Progress of a run as plain lines for logs: no colours, and every line is flushed."""

from __future__ import annotations

import math
import sys
from collections import deque

from harness.control.observer import PhaseChanges
from harness.gates.live import LiveGate, LiveGates
from harness.gates.live_faults import LiveFaults
from harness.gates.run_totals import KEPT_S, RunTotals, arrivals, goal_at
from harness.messages import Message
from harness.plan.model.phase import Phase
from harness.plan.model.run import RunPlan
from harness.record.journal import Journal
from harness.record.journal_entries import PhaseSpan
from harness.record.plain_text import no_commands, one_line
from harness.record.run_folder import RunFolder
from harness.report.formatting import counted, in_unit, load, ms, number, percent, rate

EVERY_S = 10
"""How often the load is printed, in seconds of the run. Percentiles cover the seconds since the last line."""

_WHEN = 7
_STANDS = {True: "holds so far", False: "does not hold so far", None: "no requests yet"}
_ENDED = {"done": "ended", "limit broke": "ended at its limit", "cut short": "was cut short", None: "was cut short"}


def clock(seconds: float) -> str:
    """``1:05``, ``1:02:05``."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def errors(failures: int, requests: int) -> str:
    """``errors 0``, ``errors 3 (0.4 %)``."""
    return f"{number(failures)} ({percent(failures / requests)})" if failures else "0"


def gate_name(gate: LiveGate) -> str:
    """A gate's requirement and endpoint, on one line."""
    endpoint = f" on {gate.gate.endpoint}" if gate.gate.endpoint else ""
    return one_line(gate.gate.comparison.source + endpoint)


class PlainOutput:
    """Prints the progress of a run to standard error; public as ``harness.LineWatcher``."""

    def __init__(self) -> None:
        self._totals: RunTotals | None = None
        self._gates: LiveGates | None = None
        self._marks: deque[tuple[PhaseSpan, bool]] = deque()
        """Starts (False) and ends (True) of phases that are not printed yet, in order."""
        self._changes = PhaseChanges()
        self._next_s = float(EVERY_S)
        self._silent = False

    def notify(self, message: Message) -> None:
        when = clock(self._totals.now_s) if self._totals is not None and self._totals.epoch_s else ""
        self._write(when, one_line(str(message)))

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        self._totals = RunTotals(plan, LiveFaults(plan, folder))
        self._gates = LiveGates(self._totals)
        self._write("", one_line(f"{plan.scenario.name}, profile {plan.profile}, target: {target}"))
        self._write("", f"run folder: {folder.path}")

    def update(self, journal: Journal) -> None:
        if self._totals is None or self._gates is None:
            return
        self._totals.update(journal)
        self._marks.extend(self._changes.new(journal))
        self._print_marks(flush=self._totals.ended)
        running = self._running
        if self._totals.now_s >= self._next_s and running is not None:
            self._next_s = (self._totals.now_s // EVERY_S + 1) * EVERY_S
            # A phase that has just begun has no figures yet.
            if self._totals.now_s - running.start_s > EVERY_S / 2:
                self._print_load(self._totals, running)

    def load_ended(self) -> None:
        self._print_marks(flush=True)

    @property
    def _running(self) -> PhaseSpan | None:
        """The phase whose start is printed and whose end is not."""
        current = self._totals.current if self._totals is not None else None
        return current if current is not None and not self._marks and current.end_s is None else None

    def _print_marks(self, *, flush: bool) -> None:
        """Print starts and ends in order. An end waits for its last second, so that its figures are complete."""
        totals = self._totals
        while totals is not None and self._marks:
            span, is_end = self._marks[0]
            if is_end and not flush and span.end_s is not None:
                latest = totals.latest()
                if latest is None or latest.second + 1 < span.end_s:
                    return
            self._marks.popleft()
            if is_end:
                self._print_end(totals, span)
            else:
                phase = totals.phase(span)
                self._write(clock(span.start_s), one_line(f"{phase.name} begins: {phase.description}"))

    def _print_load(self, totals: RunTotals, span: PhaseSpan) -> None:
        window, phase = totals.last(EVERY_S, phase=span), totals.phase(span)
        parts = [
            one_line(phase.name),
            load_now(totals, phase, span),
            f"{number(window.rate)} requests/s",
            f"P95 {ms(window.quantile(0.95))}",
            f"errors {errors(window.failures, window.requests)}",
        ]
        latest = totals.latest()
        if phase.model == "open" and latest is not None:
            parts.append(f"waiting {number(latest.waiting)}")
        self._write(clock(totals.now_s), " · ".join(parts))

    def _print_end(self, totals: RunTotals, span: PhaseSpan) -> None:
        phase, total = totals.phase(span), totals.total(span.phase)
        end_s = span.end_s if span.end_s is not None else totals.now_s
        parts = [f"{one_line(phase.name)} {_ENDED[span.reason]}"]
        if span.held_segment is not None and phase.segments:
            # Requests of the last step may still be running; analysis.figures judges the step with all of them.
            parts.append(f"held {load(phase.segments[span.held_segment].end, phase.model)} so far")
        if total is None or not total.requests:
            parts.append("no requests")
        else:
            parts += [
                counted(total.requests, "request"),
                rate(total.rate or None),
                f"P50 {ms(total.quantile(0.5))}",
                f"P95 {ms(total.quantile(0.95))}",
                f"P99 {ms(total.quantile(0.99))}",
                f"errors {errors(total.failures, total.requests)}",
            ]
        self._write(clock(end_s), " · ".join(parts))
        for gate in self._gates.standing() if self._gates is not None else []:
            if gate.phase == phase.name:
                self._write("", f"  gate {gate_name(gate)}: {stands(gate)}")

    def _write(self, when: str, text: str) -> None:
        if self._silent:
            return
        try:
            print(no_commands(f"{when:>{_WHEN}}  {text}"), file=sys.stderr, flush=True)
        except OSError:
            # The log's reader is gone (`… 2>&1 | head`), or the disk is full: no reason to lose the run.
            self._silent = True


def stands(gate: LiveGate) -> str:
    """The state of a gate: ``48.3 ms, holds so far``. Its interval is known after the run."""
    needs = gate.gate.comparison.measures.needs
    if needs != "requests" and (needs != "checks" or gate.observed is None):
        return "judged after the run"
    if gate.build_a is not None:
        before, now = (in_unit(value, gate.unit) for value in (gate.build_a, gate.observed))
        return f"{now}, build A {before}, judged after the run"
    if gate.limit is None:
        return f"{in_unit(gate.observed, gate.unit)}, judged after the run"
    if gate.observed is None:
        return _STANDS[None]
    return f"{in_unit(gate.observed, gate.unit)}, {_STANDS[gate.holds]}"


def load_now(totals: RunTotals, phase: Phase, span: PhaseSpan) -> str:
    """The current load and its goal: ``33 of 35 users``, ``198 of 200 arrivals/s``."""
    latest = totals.latest()
    # Each target of a duet has users of its own.
    users = latest.users / len(totals.plan.targets) if latest is not None else 0
    # The goal of the second that the load belongs to: later seconds are not recorded yet.
    goal = goal_at(phase, span, latest.second + 1 if latest is not None else span.start_s)
    now = users if phase.model == "closed" else arrivals(totals.recent(_long_enough_s(goal)))
    whole, aim = (now, "") if goal is None else (goal, f"{_level(now)} of ")
    return f"{aim}{load(whole if whole < 10 else round(whole), phase.model, 2)}"


def _long_enough_s(rate: float | None) -> int:
    """Over how many seconds arrivals are counted: over three, or until some ten should have come."""
    return min(KEPT_S, max(3, math.ceil(10 / rate))) if rate else 3


def _level(value: float) -> str:
    return number(value, 2) if value < 10 else number(round(value))
