"""The live view at any size: it fits, shows what matters most, obeys nothing the target says, and leaves no trace."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions
from rich.text import Text

from harness.cli.live import REDRAW_S, LiveView
from harness.cli.live_layout import Part, heights
from harness.messages import message
from harness.record.journal import Journal
from harness.record.run_folder import RunFolder
from tests.support.broken_runs import Broken, write_faults
from tests.support.latencies import bursty, lognormal
from tests.support.plans import gate, ramp, steady, stress
from tests.support.recordings import EPOCH_S, SHOP, Failing, WorkerState, record_run
from tests.support.replay import replay

HOSTILE = "GET /\x1b]0;owned\x07\x1b[2J[bold]\u202ex\n\ttwo"
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """A live view on a terminal of a set size, with clocks that the test moves.

    It draws the last picture of what is played; with ``draws_all``, one for each second, too.
    """

    def __init__(self, width: int, height: int, *, draws_all: bool = False) -> None:
        self.file = io.StringIO()
        self.width, self.height = width, height
        self.now = EPOCH_S
        self.ticks = 0.0
        self._draws_all = draws_all
        console = Console(
            file=self.file, force_terminal=True, width=width, height=height, color_system="standard", highlight=False
        )
        self.console = console
        self.view = LiveView(console, now=lambda: self.now, tick=lambda: self.ticks)

    def play(self, folder: RunFolder, *, until_s: float = float("inf")) -> None:
        def after(journal: Journal) -> None:
            self.now = EPOCH_S + journal.last_s
            self.ticks += REDRAW_S * self._draws_all

        self.journal = replay(folder, self.view, after=after, until_s=until_s)
        self.redraw()

    def redraw(self) -> None:
        self.ticks += REDRAW_S
        self.view.update(self.journal)

    @property
    def frames(self) -> list[list[str]]:
        """Each picture that was drawn, as lines without colours."""
        drawn = self.file.getvalue().split(ENTER)[1].split(LEAVE)[0].split("\x1b[H")
        return [_ESCAPE.sub("", frame).split("\n") for frame in drawn[1:]]

    @property
    def shown(self) -> str:
        """The last picture, no-break spaces as spaces."""
        return "\n".join(line.rstrip() for line in self.frames[-1]).replace("\xa0", " ")


def a_run(folder: Path, **more: Any) -> RunFolder:
    recording: dict[str, Any] = {
        "phases": [ramp(20, 3), steady(20, 8), steady(rate=60, seconds=4, name="open"), stress((20, 40, 60), 3)],
        "gates": ["p95 < 500ms", "p95 < 5ms", "p95 <= baseline + 10%", gate("p99 < 900ms", "steady", "POST /checkout")],
        "failures": [Failing(0.05, "HTTP 500"), Failing(0.02, "wrong total", "POST /checkout")],
        "events": [(17.0, "limit broke", "phase stress at 40 users: p95 was 600 ms")],
        "held_steps": 1,
        **more,
    }
    return record_run(folder, **recording)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 10), (20, 4), (1, 1), (300, 100)])
def test_every_picture_fits_the_terminal(tmp_path: Path, width: int, height: int) -> None:
    screen = Screen(width, height, draws_all=True)
    screen.play(a_run(tmp_path))
    assert len(screen.frames) > 10
    for frame in screen.frames:
        assert len(frame) <= height
        assert max(map(cell_len, frame)) <= width


def test_what_is_shown_at_80_by_24(tmp_path: Path) -> None:
    screen = Screen(80, 24)
    screen.play(a_run(tmp_path), until_s=9)
    lines = screen.shown.splitlines()
    assert lines[0].startswith("flash_sale  profile default")
    assert lines[0].endswith("0:09 / ≤ 0:24")
    assert re.search(r"✔ ramp +0:03  \S+/s  P95 ", screen.shown)
    assert re.search(r"▶ steady +0:05 / 0:08  ━+  20 users for 8 s", screen.shown)
    assert re.search(r"· open +60 arrivals/s for 4 s", screen.shown)
    assert re.search(r"load 20 of 20 users +requests \d+\S*/s +errors \d+ \(", screen.shown)
    assert re.search(r"last 5 s( +\S+ ms){4}", screen.shown)
    assert re.search(r"phase( +\S+ ms){4}", screen.shown)
    assert re.search(r"requests/s [▁-█]+ \d+", screen.shown)
    assert re.search(r"P95 +[▁-█]+ \S+ ms", screen.shown)
    assert re.search(r"gates so far \d+ holds?, \d+ do not, \d+ still open", screen.shown)
    assert re.search(r"✖ p95 < 5ms +steady +\S+ ms, does not hold", screen.shown)
    assert re.search(r"generator +CPU 40 % +lag 2 ms", screen.shown)
    assert "◀" not in screen.shown
    assert re.search(r"\d+× +GET /products +HTTP 500", screen.shown)


def test_an_active_fault_is_shown(tmp_path: Path) -> None:
    fault = Broken("db [bold]slow\x1b[2J", 4.0, 7.0)
    for at_s, shown in ((3.0, False), (6.0, True), (9.0, False)):
        screen = Screen(80, 24)
        folder = write_faults(a_run(tmp_path / str(at_s)), fault)
        screen.play(folder, until_s=at_s)
        assert bool(re.search(r"⚡ db \[bold\]slow\S* +network +0:0\d", screen.shown)) == shown


def test_a_damaged_file_of_faults_costs_their_line_only(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    folder.faults.write_bytes(b"no frames")
    screen = Screen(80, 24)
    screen.play(folder, until_s=6)
    assert "▶ steady" in screen.shown


def test_a_large_terminal_shows_the_slowest_endpoints_first(tmp_path: Path) -> None:
    screen = Screen(120, 40)

    def slow_checkout(rng: Any, at_s: Any, endpoint: str) -> Any:
        return lognormal(200 if endpoint == "POST /checkout" else 10)(rng, at_s, endpoint)

    screen.play(a_run(tmp_path, latency=slow_checkout, endpoints=SHOP), until_s=9)
    rows = screen.shown.partition("slowest endpoints of the phase")[2].rstrip().splitlines()
    assert rows[1].split()[:2] == ["POST", "/checkout"]
    assert len(rows) == 5


def test_the_targets_cpu_and_memory_are_shown(tmp_path: Path) -> None:
    screen = Screen(80, 40)
    screen.play(a_run(tmp_path))
    assert re.search(r"target CPU +[▁-█]+ [\d.]+ %", screen.shown)
    assert re.search(r"memory +[▁-█]+ [\d.]+ MB", screen.shown)


def test_a_damaged_file_of_resources_costs_the_targets_figures_only(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.resources.write_bytes(b"no frames")
    screen = Screen(80, 40)
    screen.play(run)
    assert "target CPU" not in screen.shown
    assert "requests/s" in screen.shown


def test_a_wide_terminal_has_steps_and_endpoints_beside_the_rest(tmp_path: Path) -> None:
    screen = Screen(180, 30)
    screen.play(a_run(tmp_path))
    lines = screen.shown.splitlines()
    (head,) = (line for line in lines if "steps of stress" in line)
    column = head.index("steps of stress")
    assert column > 80
    steps = [line[column:].split() for line in lines[lines.index(head) + 1 :]][:2]
    assert [step[:3] for step in steps] == [["✔", "20", "users"], ["✖", "40", "users"]]
    assert all(float(step[3]) > 0 for step in steps)
    assert any(line[column:].startswith("slowest endpoints") for line in lines)


@pytest.mark.parametrize("width", [140, 180])
@pytest.mark.parametrize("until_s", [0.5, 14.5])
def test_a_column_without_parts_is_empty(tmp_path: Path, width: int, until_s: float) -> None:
    screen = Screen(width, 30)
    screen.play(a_run(tmp_path), until_s=until_s)
    assert "Layout" not in screen.shown
    assert "╭" not in screen.shown


def test_the_open_model_shows_arrivals_response_and_service(tmp_path: Path) -> None:
    screen = Screen(80, 30)
    run = a_run(tmp_path, start_delay=lognormal(300, 0.1), worker=lambda _: WorkerState(waiting=4))
    screen.play(run, until_s=14.5)
    assert re.search(r"load \d+ of 60 arrivals/s", screen.shown)
    assert "waiting 4" in screen.shown
    response = re.search(r"^phase +(\d+)", screen.shown, re.M)
    service = re.search(r"^· service +(\d+)", screen.shown, re.M)
    assert response is not None
    assert service is not None
    assert int(response[1]) > 200 > int(service[1])


def test_a_stress_phase_shows_its_step_and_what_held(tmp_path: Path) -> None:
    screen = Screen(80, 24)
    run = a_run(tmp_path)
    screen.play(run, until_s=20.5)
    assert "step 2/3" in screen.shown
    assert "phase stress at 40 users: p95 was 600 ms" in screen.shown
    at_end = Screen(80, 24)
    at_end.play(run)
    assert re.search(r"■ stress .* held 20 so far", at_end.shown)


def test_on_a_tiny_terminal_what_matters_most_is_left(tmp_path: Path) -> None:
    screen = Screen(40, 10)
    screen.play(a_run(tmp_path), until_s=9)
    assert "▶ steady" in screen.shown
    assert re.search(r"20 of 20 users  \d+\S*/s  errors \d+", screen.shown)
    assert re.search(r"last 5 s +\S+ ms +\S+ ms", screen.shown)
    assert "do not" in screen.shown


def test_a_limiting_generator_is_shown_prominently(tmp_path: Path) -> None:
    for state in (WorkerState(cpu=0.97), WorkerState(lag_ms=120)):
        screen = Screen(40, 6)
        screen.play(a_run(tmp_path / str(state.cpu), worker=lambda _, s=state: s), until_s=9)
        assert "generator" in screen.shown
        assert "◀" in screen.shown
        wide = Screen(80, 24)
        wide.play(a_run(tmp_path / f"wide-{state.cpu}", worker=lambda _, s=state: s), until_s=9)
        assert re.search("◀.*target$", wide.shown, re.MULTILINE)


def test_names_and_errors_of_the_target_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    screen = Screen(120, 40, draws_all=True)
    run = a_run(
        tmp_path,
        phases=[steady(20, 6, name="a\x1b[2Jb[red]c")],
        endpoints={HOSTILE: 1.0, "GET /日本語/" * 30: 1.0},
        gates=[gate("p95 < 900ms", None, HOSTILE)],
        failures=[Failing(0.3, "bad \x1b[2J[/bold] " + "x" * 500)],
        events=[(3.0, "error", HOSTILE)],
    )
    screen.play(run)
    screen.view.load_ended()
    written = screen.file.getvalue()
    for harm in ("\x1b]", "\x07", "\x1b[2J", "\u202e"):
        assert harm not in written
    for kept in ("ab[red]c", "GET /[bold]�x two", "bad [/bold] xxx"):
        assert kept in written
    assert all(cell_len(line) <= 120 for frame in screen.frames for line in frame)


def test_a_run_that_sends_nothing(tmp_path: Path) -> None:
    screen = Screen(80, 24)
    screen.play(record_run(tmp_path, phases=[steady(0, 4), steady(0, 4, name="next")], gates=["p95 < 900ms"]))
    assert re.search(r"✔ steady +0:04  no requests", screen.shown)
    assert "requests 0/s" in screen.shown
    assert "gates so far 0 hold, 2 still open" in screen.shown


def test_a_shape_has_no_end_and_no_goal(tmp_path: Path) -> None:
    run = record_run(tmp_path, phases=[steady(10, 4)])
    text = run.plan.read_text().replace('"kind": "steady"', '"kind": "shape"')
    run.plan.write_text(re.sub(r'"segments": \[.*?\]', '"segments": []', text, count=1, flags=re.S))
    screen = Screen(80, 24)
    screen.play(run, until_s=4)
    assert screen.shown.splitlines()[0].endswith(" 0:04")
    assert re.search(r"▶ steady +0:03$", screen.shown, re.M)
    assert "load 10 users" in screen.shown


def test_the_clock_runs_on_between_seconds_and_stops_at_the_end(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    screen = Screen(80, 24)
    screen.play(run, until_s=5)
    screen.now += 3
    screen.redraw()
    assert "0:08 / " in screen.shown.splitlines()[0]
    ended = Screen(80, 24)
    ended.play(run)
    first = ended.shown.splitlines()[0]
    ended.now += 60
    ended.redraw()
    assert ended.shown.splitlines()[0] == first


def test_the_screen_is_drawn_at_most_four_times_a_second(tmp_path: Path) -> None:
    screen = Screen(80, 24)
    screen.play(a_run(tmp_path), until_s=3)
    before = len(screen.frames)
    for _ in range(16):
        screen.ticks += REDRAW_S / 8  # eighths add up exactly
        screen.view.update(screen.journal)
    assert len(screen.frames) == before + 2


def test_a_resize_is_followed(tmp_path: Path) -> None:
    screen = Screen(120, 40)
    screen.play(a_run(tmp_path), until_s=9)
    screen.console.size = ConsoleDimensions(50, 12)
    screen.redraw()
    assert len(screen.frames[-1]) <= 12
    assert max(map(cell_len, screen.frames[-1])) <= 50


def test_messages_are_repeated_on_the_terminals_own_screen(tmp_path: Path) -> None:
    screen = Screen(80, 24)
    with screen.view as view:
        view.notify(message("note", text="starting the target"))
        screen.play(a_run(tmp_path), until_s=17.5)
        view.notify(message("note", text="interrupted: ending the run"))
        assert "interrupted: ending the run" in screen.shown
        view.load_ended()
        view.notify(message("note", text="judging"))
    before, _, rest = screen.file.getvalue().partition(ENTER)
    after = _ESCAPE.sub("", rest.partition(LEAVE)[2])
    assert "starting the target" in before
    assert "run folder: " in before
    assert re.search(r"phase stress at 40 users.*\n.*0:17  interrupted: ending the run\n.*judging", after)
    assert "\x1b[?25h" in rest  # the cursor is back
    assert rest.count(LEAVE) == 1


def test_an_error_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    screen = Screen(80, 24)

    def broken_run() -> None:
        with screen.view:
            screen.play(a_run(tmp_path), until_s=3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_run()
    assert screen.file.getvalue().count(LEAVE) == 1


def test_before_the_load_there_is_nothing_to_draw() -> None:
    screen = Screen(80, 24)
    screen.view.update(Journal())
    screen.view.load_ended()
    assert screen.file.getvalue() == ""


def test_parts_of_the_lowest_ranks_get_their_lines_first() -> None:
    def part(rank: int, rows: int, **more: Any) -> Part:
        return Part(rank, [Text("x")] * rows, **more)

    parts = [part(0, 3), part(2, 4, least=2), part(1, 1, air=False), part(8, 5)]
    assert heights(parts, 1) == [1, 0, 0, 0]
    assert heights(parts, 2) == [1, 0, 1, 0]
    assert heights(parts, 4) == [1, 2, 1, 0]
    assert heights(parts, 8) == [3, 4, 1, 0]
    assert heights(parts, 9) == [3, 4, 1, 1]
    assert heights(parts, 14) == [4, 4, 1, 5]  # a blank line below the first
    assert heights(parts, 12) == [3, 4, 1, 4]
    assert heights(parts, 99) == [4, 5, 1, 6]


def test_the_row_to_keep_stays_where_there_is_no_room_for_all() -> None:
    part = Part(0, [Text(name) for name in "abcd"], keep=2)
    assert [part.draw(height).plain for height in (1, 2, 4)] == ["c", "c\nd", "a\nb\nc\nd"]


def test_many_endpoints_and_a_long_run_are_drawn_too(tmp_path: Path) -> None:
    screen = Screen(120, 40)
    many = {f"GET /thing/{number}": 1.0 for number in range(50)}
    screen.play(a_run(tmp_path, phases=[steady(30, 64)], endpoints=many, latency=bursty()))
    assert len(re.findall(r"^  GET /thing/", screen.shown, re.M)) > 5
    assert re.search(r"requests/s [▁-█]{60} ", screen.shown)
