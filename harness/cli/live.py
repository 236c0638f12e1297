"""The live view on a terminal: a run's progress on a screen of its own, redrawn four times a second.

It uses the terminal's alternate screen: nothing scrolls, resizing is harmless, and what was there before comes back at
the end. There is no thread: the controller's own calls draw it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from rich.console import Console
from rich.layout import Layout
from rich.live import Live
from rich.text import Text

from harness.api.plain_output import clock
from harness.cli import live_layout, live_screen
from harness.cli.control_echo import no_control_echo
from harness.cli.live_layout import Part
from harness.cli.live_target import TargetFigures
from harness.gates.live import LiveGates
from harness.gates.live_faults import LiveFaults
from harness.gates.run_totals import RunTotals
from harness.messages import Message
from harness.plan.model.run import RunPlan
from harness.record.journal import Journal
from harness.record.plain_text import one_line
from harness.record.run_folder import RunFolder

REDRAW_S = 0.25
_OTHERS = 27
"""Lines that the parts other than the endpoints may well fill."""


class LiveView:
    """The :class:`~harness.control.observer.RunObserver` of a terminal, and a context manager that restores it.

    ``now`` gives the time of day in seconds, ``tick`` a monotonic clock.
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
        self._screen: _RunScreen | None = None
        self._live: Live | None = None
        self._quiet = ExitStack()
        """While the live view draws, the terminal echoes no control characters."""
        self._messages: list[tuple[str, str]] = []
        self._drawn_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.load_ended()

    def notify(self, message: Message) -> None:
        if self._live is None or self._screen is None:
            self._console.print(Text(one_line(str(message)), style="dim"))
            return
        self._messages.append((self._screen.when(self._now()), str(message)))
        self._draw()

    def load_begins(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        self._console.print(Text(f"run folder: {folder.path}", style="dim"), soft_wrap=True)
        self._screen = _RunScreen(plan, folder, target)
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._quiet.enter_context(no_control_echo(self._console.file))
        self._live.start()
        self._draw()

    def update(self, journal: Journal) -> None:
        if self._screen is None:
            return
        self._screen.update(journal)
        if self._tick() - self._drawn_at >= REDRAW_S:
            self._draw()

    def load_ended(self) -> None:
        """Return to the terminal's own screen, and print the messages of the live view there, to stay."""
        if self._live is None:
            return
        self._live.stop()
        self._live = None
        self._quiet.close()
        for when, message in self._messages:
            self._console.print(Text.assemble((f"{when:>7}  ", "dim"), one_line(message)))
        self._messages.clear()

    def _draw(self) -> None:
        if self._live is None or self._screen is None:
            return
        self._drawn_at = self._tick()
        width, height = self._console.size
        self._live.update(self._screen.draw(self._messages, self._now(), width, height), refresh=True)


class _RunScreen:
    """The screen of one run. Figures are computed when a second has come in, clocks each time."""

    def __init__(self, plan: RunPlan, folder: RunFolder, target: str) -> None:
        self._totals = RunTotals(plan, LiveFaults(plan, folder))
        self._gates = LiveGates(self._totals)
        self._target = TargetFigures(folder)
        self._folders = live_screen.folders(str(folder.path), target)
        self._figures: tuple[tuple[int, int], list[Part], list[Part]] | None = None

    def update(self, journal: Journal) -> None:
        begun = len(self._totals.spans)
        if self._totals.update(journal) or len(journal.phases) != begun:
            self._target.update()
            self._figures = None

    def when(self, now: float) -> str:
        """The time of the run at the time of day ``now``; empty before it began."""
        return clock(self._at_s(now)) if self._totals.epoch_s else ""

    def draw(self, messages: list[tuple[str, str]], now: float, width: int, height: int) -> Layout:
        size, at_s = (width, height), self._at_s(now)
        left, right = live_layout.column_widths(width)
        if self._figures is None or self._figures[0] != size:
            self._figures = (size, self._compute(left), self._compute_others(right or left, height, alone=right > 0))
        _, figures, others = self._figures
        parts = [
            live_screen.header(self._totals.plan, at_s, left),
            self._folders,
            live_screen.phases(self._totals, at_s, left),
            live_screen.faults(self._totals, at_s),
            *figures,
            live_screen.messages(messages),
        ]
        if not right:
            return live_layout.lay_out([*parts, *others], height)
        return live_layout.beside(live_layout.lay_out(parts, height), live_layout.lay_out(others, height), left)

    def _at_s(self, now: float) -> float:
        """The time of the run: the journal is a second or two behind."""
        if not self._totals.epoch_s or self._totals.ended:
            return self._totals.now_s
        return max(self._totals.now_s, now - self._totals.epoch_s)

    def _compute(self, width: int) -> list[Part]:
        totals, standing = self._totals, self._gates.standing()
        current = totals.phase(totals.current).name if totals.current is not None else None
        return [
            live_screen.load(totals, width),
            live_screen.percentiles(totals, width),
            live_screen.sparklines(totals, width),
            live_screen.target(self._target, width),
            live_screen.gates_title(standing),
            live_screen.gates(standing, current, width),
            live_screen.generator(totals),
            live_screen.failures(totals, width),
        ]

    def _compute_others(self, width: int, height: int, *, alone: bool) -> list[Part]:
        """The parts of the second column in a wide terminal; otherwise they are below, if there is room."""
        steps = live_screen.steps(self._totals, alone=alone)
        taken = len(steps.rows) + 2 if alone else _OTHERS
        return [steps, live_screen.endpoints(self._totals, width, height - taken)]
