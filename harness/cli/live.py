"""The live view on a terminal: the run's course on a screen of its own, drawn anew four times a second.

It is drawn on the terminal's alternate screen, so nothing scrolls, a resize does no harm, and what stood there before
comes back at the end. No thread: the controller's own calls draw it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from harness.api.plain_output import clock, one_line
from harness.cli import live_screen
from harness.cli.live_screen import Line
from harness.errors import Message
from harness.gates.live import LiveGates
from harness.gates.run_totals import RunTotals
from harness.plan.model import RunPlan
from harness.record.journal import Journal
from harness.record.run_folder import RunFolder

REDRAW_S = 0.25

_FULL = 26
"""Lines of the screen that all but the endpoints may well fill."""


class LiveView:
    """The :class:`~harness.control.observer.RunObserver` of a terminal, and a context manager that leaves it tidy.

    ``now`` gives the time of day in seconds, ``tick`` a clock that never goes back.
    """

    def __init__(
        self,
        console: Console,
        *,
        now: Callable[[], float] = time.time,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._now = now
        self._tick = tick
        self._timeline: PhaseTimeline | None = None
        self._live: Live | None = None
        self._messages: list[tuple[str, str]] = []
        self._drawn_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.load_ended()

    def notify(self, message: Message) -> None:
        if self._live is None or self._timeline is None:
            self._console.print(Text(one_line(str(message)), style="dim"))
            return
        self._messages.append((self._timeline.when(self._now()), str(message)))
        self._draw()

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        self._console.print(Text(f"run folder: {folder.path}", style="dim"), soft_wrap=True)
        self._timeline = PhaseTimeline(plan, str(folder.path), target)
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()
        self._draw()

    def update(self, journal: Journal) -> None:
        if self._timeline is None:
            return
        self._timeline.update(journal)
        if self._tick() - self._drawn_at >= REDRAW_S:
            self._draw()

    def load_ended(self) -> None:
        """Back to the terminal's own screen; what was said meanwhile is said again there, to stay."""
        if self._live is None:
            return
        self._live.stop()
        self._live = None
        for when, message in self._messages:
            self._console.print(Text.assemble((f"{when:>7}  ", "dim"), one_line(message)))
        self._messages.clear()

    def _draw(self) -> None:
        if self._live is None or self._timeline is None:
            return
        self._drawn_at = self._tick()
        width, height = self._console.size
        lines = self._timeline.lines(self._messages, self._now(), width, height)
        self._live.update(Group(*lines), refresh=True)


class PhaseTimeline:
    """The run as the screen shows it; figures are drawn when a second has come in, clocks each time."""

    def __init__(self, plan: RunPlan, folder: str, target: str) -> None:
        self._totals = RunTotals(plan)
        self._gates = LiveGates(self._totals)
        self._folder = folder
        self._target = target
        self._figures: tuple[tuple[int, int], list[Line], list[Line]] | None = None

    def update(self, journal: Journal) -> None:
        begun = len(self._totals.spans)
        grown = self._totals.update(journal)
        if grown or len(journal.phases) != begun:
            self._figures = None

    def when(self, now: float) -> str:
        """The time of the run at the time of day ``now``; empty before it began."""
        return clock(self._at_s(now)) if self._totals.epoch_s else ""

    def lines(self, said: list[tuple[str, str]], now: float, width: int, height: int) -> list[Text]:
        at_s = self._at_s(now)
        if self._figures is None or self._figures[0] != (width, height):
            self._figures = ((width, height), *self._draw_figures(width, height))
        _, upper, lower = self._figures
        return live_screen.fit(
            [
                *live_screen.header(self._totals.plan, self._folder, self._target, at_s, width),
                live_screen.blank(),
                *live_screen.phases(self._totals, at_s, width),
                live_screen.blank(),
                *upper,
                *live_screen.messages(said),
                live_screen.blank(),
                *lower,
            ],
            width,
            height,
        )

    def _at_s(self, now: float) -> float:
        """The clock of the run: that of the journal runs a second or two behind."""
        if not self._totals.epoch_s or self._totals.ended:
            return self._totals.now_s
        return max(self._totals.now_s, now - self._totals.epoch_s)

    def _draw_figures(self, width: int, height: int) -> tuple[list[Line], list[Line]]:
        totals = self._totals
        current = totals.phase(totals.current).name if totals.current is not None else None
        upper = [
            *live_screen.load(totals, width),
            live_screen.blank(),
            *live_screen.sparklines(totals, width),
            live_screen.blank(),
            *live_screen.gates(self._gates.standing(), current, width),
            live_screen.blank(),
            *live_screen.generator(totals),
            *live_screen.failure_kinds(totals, 5),
        ]
        return upper, live_screen.endpoints(totals, width, height - _FULL)
