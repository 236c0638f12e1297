"""Faults follow the phases of a run, here of a journal that the test writes; the processes are real."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import psutil
import pytest

from harness.control.faults import Faults
from harness.errors import HarnessError
from harness.messages import Message
from harness.plan.model.fault import PlannedFault
from harness.plan.model.run import RunPlan
from harness.record.journal import Journal
from harness.record.journal_entries import PhaseSpan
from harness.record.run_folder import RunFolder
from harness.targets.start import start_target
from harness.targets.target import Target
from tests.support.children import wait_until
from tests.support.faults import events_in, fault_processes, has_begun_with, is_stopped, suspend
from tests.support.plans import make_plan, ramp, steady
from tests.support.targets import run_folder, script_target

RAMP, STEADY = 0, 1


class Run:
    """Faults on a target, and what was said of them."""

    def __init__(self, tmp_path: Path, stack: ExitStack, *planned: PlannedFault) -> None:
        self.folder: RunFolder = run_folder(tmp_path)
        self.said: list[Message] = []
        plan: RunPlan = make_plan([ramp(seconds=60), steady(seconds=60)]).model_copy(update={"faults": planned})
        self.faults = stack.enter_context(Faults(plan, self.folder, self.said.append))
        plan_of_target = script_target(tmp_path, "serve(sys.argv[1])", ready_timeout_s=600)
        target = start_target(plan_of_target, self.folder, agent=False, faults=True)
        self.target: Target = stack.enter_context(target)
        self.faults.reach([self.target])
        self.journal = Journal(run_id="run", epoch_s=time.time())

    def begin(self, phase: int) -> None:
        self.journal.phases.append(PhaseSpan(phase, time.time() - self.journal.epoch_s, None, None, None, ()))

    def end(self) -> None:
        span = self.journal.phases[-1]
        self.journal.phases[-1] = PhaseSpan(span.phase, span.start_s, span.start_s + 1, "done", None, ())

    def until(self, events: list[tuple[str, str]]) -> None:
        def there() -> bool:
            self.faults.follow(self.journal)
            return has_begun_with(self.folder.faults, events)

        wait_until(there, what=str(events))

    @property
    def codes(self) -> list[str]:
        self.faults.follow(self.journal)
        return [each.code for each in self.said]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def pause(phase: str = "steady", at_s: float = 0.0, for_s: float | None = None) -> PlannedFault:
    settings = {"action": "pause"}
    return PlannedFault(name="stop", kind="process", phase=phase, at_s=at_s, for_s=for_s, settings=settings)


def test_a_fault_begins_in_its_phase_and_ends_with_it(tmp_path: Path, stack: ExitStack) -> None:
    run = Run(tmp_path, stack, pause())
    run.begin(RAMP)
    run.faults.follow(run.journal)
    run.end()
    run.begin(STEADY)
    run.until([("stop", "began")])
    assert run.target.pid is not None
    process = psutil.Process(run.target.pid)
    wait_until(lambda: is_stopped(process))
    run.end()
    run.until([("stop", "began"), ("stop", "ended")])
    wait_until(lambda: not is_stopped(process))
    assert run.codes == ["fault-began", "fault-ended"]


@pytest.mark.slow
def test_a_fault_ends_on_time_even_if_the_harness_does_not_follow_the_run(tmp_path: Path, stack: ExitStack) -> None:
    run = Run(tmp_path, stack, pause(at_s=0.2, for_s=2.0))
    run.begin(STEADY)
    run.faults.follow(run.journal)
    wait_until(lambda: len(events_in(run.folder.faults)) == 2)


def test_the_end_of_the_run_ends_what_is_open_and_begins_nothing(tmp_path: Path, stack: ExitStack) -> None:
    later = pause(at_s=50.0).model_copy(update={"name": "later"})
    run = Run(tmp_path, stack, pause(), later)
    run.begin(STEADY)
    run.until([("stop", "began")])
    run.faults.end()
    run.faults.wait(lambda: False)
    assert events_in(run.folder.faults) == [("stop", "began"), ("stop", "ended")]


def test_a_stopped_fault_process_undoes_active_faults(tmp_path: Path, stack: ExitStack) -> None:
    run = Run(tmp_path, stack, pause())
    run.begin(STEADY)
    run.until([("stop", "began")])
    (watching,) = fault_processes()
    for process in (watching, *watching.children()):
        suspend(process)
    run.faults.end()
    run.faults.wait(lambda: False)
    assert events_in(run.folder.faults) == [("stop", "began"), ("stop", "ended")]


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["guard", "child"])
def test_a_fault_process_that_is_stopped_during_the_load_continues(whom: str, tmp_path: Path, stack: ExitStack) -> None:
    run = Run(tmp_path, stack, pause(for_s=2.0))
    run.begin(STEADY)
    run.until([("stop", "began")])
    (guard,) = fault_processes()
    stopped = guard if whom == "guard" else guard.children()[0]
    suspend(stopped)
    run.until([("stop", "began"), ("stop", "ended")])
    wait_until(lambda: sorted(run.codes) == ["fault-began", "fault-ended", "fault-process-stopped"])
    assert not is_stopped(stopped)


def ended_while_it_is_undone(tmp_path: Path, stack: ExitStack, stop: str, timeout: str = "1000s") -> Run:
    """A run at its end, with a fault that the command ``stop`` undoes slowly."""
    settings = {"start": "true", "stop": stop, "timeout": timeout}
    run = Run(tmp_path, stack, PlannedFault(name="slow", kind="command", phase="steady", settings=settings))
    run.begin(STEADY)
    run.until([("slow", "began")])
    run.faults.end()
    return run


@pytest.mark.slow
def test_a_user_need_not_wait_until_all_is_undone(tmp_path: Path) -> None:
    go = tmp_path / "go"
    with ExitStack() as stack:
        stack.callback(go.touch)
        run = ended_while_it_is_undone(tmp_path, stack, f"sh -c 'until [ -e {go} ]; do sleep 0.1; done'")
        run.faults.wait(lambda: True)
        begun_s = time.monotonic()
        run.faults.__exit__()
        assert time.monotonic() - begun_s < 60  # of the 120 s that others wait
        assert ("slow", "ended") not in events_in(run.folder.faults)
    wait_until(lambda: ("slow", "ended") in events_in(run.folder.faults), what="it is undone all the same")


@pytest.mark.slow
def test_what_takes_too_long_to_undo_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_s = 3.0
    monkeypatch.setattr("harness.control.faults._LEAST_UNDO_S", wait_s)
    monkeypatch.setattr("harness.control.faults._SPARE_S", 0.0)
    with ExitStack() as stack:
        stops_what_would_kill_it = "sh -c 'kill -STOP $PPID; sleep 600'"
        run = ended_while_it_is_undone(tmp_path, stack, stops_what_would_kill_it, "0.5s")
        (guard,) = fault_processes()
        run.faults.wait(lambda: False)
        begun_s = time.monotonic()
        run.faults.__exit__()
        waited_s = time.monotonic() - begun_s
        for process in (guard, *guard.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # it ends with the one before
                process.kill()
    assert waited_s < wait_s
    assert run.said[-1].code == "faults-still-undone"


@pytest.mark.slow
def test_what_may_take_long_to_undo_is_waited_for_as_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.control.faults._LEAST_UNDO_S", 0.1)
    with ExitStack() as stack:
        run = ended_while_it_is_undone(tmp_path, stack, "sleep 2")
        run.faults.wait(lambda: False)
        assert run.codes == ["fault-began", "fault-ended"]


def test_a_user_need_not_wait_for_a_target_that_starts_again(tmp_path: Path, stack: ExitStack) -> None:
    kill = PlannedFault(name="crash", kind="process", phase="steady", settings={"action": "kill"})
    run = Run(tmp_path, stack, kill)
    (tmp_path / "app.py").write_text("import time; time.sleep(600)")
    run.begin(STEADY)
    run.until([("crash", "began")])
    run.faults.end()
    asked = count()
    run.faults.wait(lambda: len(run.said) > 1 and next(asked) > 5)  # a while after the fault has ended
    assert [each.code for each in run.said] == ["fault-began", "fault-ended"]


@pytest.mark.slow
def test_a_target_that_a_fault_has_killed_is_expected_to_be_gone(tmp_path: Path, stack: ExitStack) -> None:
    kill = PlannedFault(name="crash", kind="process", phase="steady", settings={"action": "kill"})
    run = Run(tmp_path, stack, kill)
    assert not run.faults.explains_absence
    assert run.faults.last_that_ends_target is None
    run.begin(STEADY)
    run.until([("crash", "began")])
    wait_until(lambda: not run.target.is_alive())
    assert run.faults.explains_absence
    run.end()
    run.until([("crash", "began"), ("crash", "ended")])
    assert not run.faults.explains_absence
    assert run.faults.last_that_ends_target == "crash"
    assert run.target.is_alive()


@pytest.mark.slow
def test_a_pause_explains_no_absence(tmp_path: Path, stack: ExitStack) -> None:
    run = Run(tmp_path, stack, pause())
    run.begin(STEADY)
    run.until([("stop", "began")])
    assert not run.faults.explains_absence


@pytest.mark.slow
def test_killed_processes_of_faults_are_replaced_and_go_on(tmp_path: Path, stack: ExitStack) -> None:
    later = pause(at_s=3.0).model_copy(update={"name": "later"})
    run = Run(tmp_path, stack, pause(for_s=50.0), later)
    run.begin(STEADY)
    run.until([("stop", "began")])
    (guard,) = fault_processes()
    for each in [guard, *guard.children()]:
        each.kill()
    wanted = [("stop", "began"), ("stop", "ended"), ("later", "began")]
    run.until(wanted)
    assert run.codes == ["fault-began", "fault-ended", "fault-process-killed", "fault-began"]
    run.end()
    run.until([*wanted, ("later", "ended")])


def test_a_fault_on_what_is_not_there_is_refused_with_its_place(tmp_path: Path, stack: ExitStack) -> None:
    where = "chaos.toml:7: fault[0]"
    worker = PlannedFault(
        name="w", kind="process", phase="steady", settings={"action": "kill", "of": "worker"}, where=where
    )
    with pytest.raises(HarnessError) as raised:
        Run(tmp_path, stack, worker)
    assert (raised.value.code, raised.value.where, raised.value.exit_code) == ("fault-target-without-process", where, 2)


@pytest.mark.parametrize(("at_s", "overlap"), [(5.0, True), (10.0, False)])
def test_faults_that_name_one_process_differently_do_not_overlap(
    at_s: float, overlap: bool, tmp_path: Path, stack: ExitStack
) -> None:
    program = Path(sys.executable).name  # which the target runs
    settings = {"action": "pause", "of": program}
    named = PlannedFault(name="p", kind="process", phase="steady", at_s=at_s, settings=settings, where="chaos.toml:7")
    if not overlap:
        Run(tmp_path, stack, pause(for_s=10.0), named)
        return
    with pytest.raises(HarnessError) as raised:
        Run(tmp_path, stack, pause(for_s=10.0), named)
    assert (raised.value.code, raised.value.where, raised.value.params["name"]) == (
        "faults-overlap",
        "chaos.toml:7",
        "p",
    )


@pytest.mark.slow
def test_a_stop_that_fails_is_reported_at_once_and_retried_before_the_verdict(tmp_path: Path, stack: ExitStack) -> None:
    mended = tmp_path / "mended"
    settings = {"start": "true", "stop": f"test -e {mended}"}
    slow = PlannedFault(name="db slow", kind="command", phase="steady", for_s=2.0, settings=settings)
    run = Run(tmp_path, stack, slow)
    run.begin(STEADY)
    run.until([("db slow", "began"), ("db slow", "failed")])
    assert run.codes == ["fault-began", "fault-undo-failed"]
    assert run.said[-1].params["name"] == "db slow"
    mended.touch()
    run.faults.end()
    run.faults.wait(lambda: False)
    assert events_in(run.folder.faults)[2:] == [("db slow", "ended")]
    assert run.codes[2:] == ["fault-ended"]


@pytest.mark.slow
@pytest.mark.parametrize("crashes", [False, True])
def test_a_stop_that_never_works_is_reported_at_once_and_in_the_summary(crashes: bool, tmp_path: Path) -> None:
    """Unless there is none, because the harness itself fails."""
    settings = {"start": "true", "stop": "false"}
    fault = PlannedFault(name="db slow", kind="command", phase="steady", for_s=2.0, settings=settings)
    with suppress(ZeroDivisionError), ExitStack() as stack:
        run = Run(tmp_path, stack, fault)
        run.begin(STEADY)
        run.until([("db slow", "began"), ("db slow", "failed")])
        if crashes:
            raise ZeroDivisionError
        run.faults.end()
        run.faults.wait(lambda: False)
    assert [each.code for each in run.said] == ["fault-began", "fault-undo-failed", *["fault-not-undone"] * crashes]
    assert events_in(run.folder.faults) == [("db slow", "began"), ("db slow", "failed"), ("db slow", "failed")]


@pytest.mark.slow
def test_a_fault_waits_until_one_of_the_phase_before_is_undone(tmp_path: Path, stack: ExitStack) -> None:
    """Both act on the same thing: undoing the first would end the second, too."""
    mark = tmp_path / "mark"
    settings = {"start": f"touch {mark}", "stop": f"sh -c 'sleep 1; rm {mark}'"}
    first, second = (
        PlannedFault(name=phase, kind="command", phase=phase, settings=settings) for phase in ("ramp", "steady")
    )
    run = Run(tmp_path, stack, first, second)
    run.begin(RAMP)
    run.until([("ramp", "began")])
    run.end()
    run.begin(STEADY)
    run.until([("ramp", "began"), ("ramp", "ended"), ("steady", "began")])
    wait_until(mark.exists)


def test_a_run_without_faults_starts_no_process(tmp_path: Path, stack: ExitStack) -> None:
    before = len(fault_processes())
    faults = stack.enter_context(Faults(make_plan([steady()]), run_folder(tmp_path), lambda _: None))
    faults.follow(Journal())
    faults.end()
    faults.wait(lambda: False)
    assert len(fault_processes()) == before
