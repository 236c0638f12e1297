"""The load master: the clock of the phases. Runs Locust's ``MasterRunner``, merges the workers' seconds, journals them.

Started as ``python -m harness.load.master``, with the run's secret in its environment. On standard output it answers
``{"port": …}`` or ``{"error": …}``, then ``{"say": …}`` for people, one a line. On standard input it obeys the
controller's lines: ``stop REASON`` ends the run cleanly, ``hurry`` at once; ``failed INDEX WORDS`` tells that a worker
of this machine has ended. See :func:`main` for its arguments.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

import gevent
import zmq
from gevent.event import Event
from gevent.fileobject import FileObjectPosix
from locust.env import Environment
from locust.runners import STATE_STOPPED

from harness.load import messages
from harness.load.bundle import collect
from harness.load.child_result import claim_stdout, one_line
from harness.load.environment import make_environment
from harness.load.limits import StepFigures
from harness.load.lobby import Lobby
from harness.load.locust_course import (
    ListenerError,
    ListenerFailures,
    fire_init,
    fire_quit,
    hold_back_spawning_complete,
    start_test,
)
from harness.load.locust_stats import drop_stats, reads_stats
from harness.load.merger import Merger
from harness.load.process import allow_many_files, die_with_parent, log_to_stderr
from harness.load.runners import LoadMasterRunner
from harness.load.scenario_file import load_scenario
from harness.load.secret import take_secret
from harness.load.sockets import use_keys
from harness.plan.model import Phase, RunPlan
from harness.record.frames import Frame, FrameWriter
from harness.record.journal import SCHEMA, EndReason, PhaseEndReason
from harness.record.series import Series
from harness.record.series_table import SeriesTable

WORKERS_JOIN_S = 60.0
OTHERS_JOIN_S = 600.0
"""People have to go to the other machines and type a command there."""
_LOOK_AROUND_S = 1.0
LAST_SECOND_S = 1.5
"""How long a last stress step goes on until its own last second has been reported and judged."""
_POLL_S = 0.05
_SHOWN_ERRORS = 10
_LEAD_S = 0.02
"""A phase is announced this much before it begins, so that the workers know of it in time."""

logger = logging.getLogger(__name__)


class LoadMaster:
    """Runs the phases of a plan over the workers that have joined ``runner``."""

    def __init__(
        self, plan: RunPlan, environment: Environment, runner: LoadMasterRunner, journal: FrameWriter, lobby: Lobby
    ) -> None:
        self._plan = plan
        self._environment = environment
        self._runner = runner
        self._journal = journal
        self._lobby = lobby
        self._began = time.perf_counter()
        self._workers: list[str] = []
        self._merger = Merger([])
        self._steps: dict[tuple[int, int], StepFigures] = {}
        self._users_greenlet: gevent.Greenlet[..., None] | None = None
        self._asked_for: tuple[Any, ...] = (0, 1.0)
        """What the runner was last asked for: users, spawn rate and, by a shape, user classes."""
        self._finished: set[str] = set()
        self._dropped = 0
        self._errors: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        """Reports that were left out, by worker."""
        self._stop = Event()
        self._stop_reason: EndReason | None = None
        self._current: tuple[int, float] | None = None
        """The phase that runs, and when it began."""
        self._let_spawning_complete_through = hold_back_spawning_complete(environment)
        logging.getLogger().addHandler(ListenerFailures(self._on_listener_failure))
        runner.register_message(messages.SECOND, self._on_second)
        runner.register_message(messages.FINISHED, self._on_finished)
        runner.register_message(messages.FAILED, self._on_failed)
        runner.register_message(messages.QUIT, self._on_quit)
        runner.on_quit = self._on_quit
        runner.on_lost = self._lose
        runner.on_clock = self._on_clock

    def stop(self, reason: EndReason) -> None:
        """End the run cleanly; the first reason counts."""
        self._stop_reason = self._stop_reason or reason
        self._stop.set()

    def hurry(self) -> None:
        """After :meth:`stop`: users finish nothing more."""
        self._runner.send_message(messages.HURRY, {})

    def run(self, run_id: str) -> EndReason:
        """The whole run, from the workers' joining to the last frame."""
        if not self._await_workers():
            self._journal.write({"kind": "start", "schema": SCHEMA, "run_id": run_id, "epoch_s": time.time()})
            if self._stop_reason is None:
                self._event("workers lost", self._lobby.failure or f"only {self._lobby.missing()}")
            self._say_good_bye()
            self._journal.write({"kind": "end", "at_s": 0.0, "reason": self._stop_reason or "workers lost"})
            return self._stop_reason or "workers lost"
        members = self._lobby.seated()
        self._workers = list(members)
        self._merger = Merger(self._workers)
        start_test(self._environment, self._runner, self._plan.peak_users)
        self._await_test_start()
        self._let_spawning_complete_through()
        epoch_s, self._began = time.time(), time.perf_counter()
        self._journal.write({"kind": "start", "schema": SCHEMA, "run_id": run_id, "epoch_s": epoch_s})
        for member in members.values():
            self._journal.write({"kind": "worker", "worker": member.index, "host": member.host})
            self._write_clock(member.index, *member.clock_ms)
        self._runner.send_message(messages.BEGIN, {"began_s": self._began})
        watch = gevent.spawn(self._watch)
        for index, phase in enumerate(self._plan.phases):
            if self._stop.is_set():
                break
            self._run_phase(index, phase)
        self._environment.events.test_stopping.fire(environment=self._environment)
        self._finish()
        self._runner.update_state(STATE_STOPPED)
        self._environment.events.test_stop.fire(environment=self._environment)
        watch.kill()
        self._say_good_bye()
        self._tell_errors()
        reason: EndReason = self._stop_reason or "done"
        self._journal.write({"kind": "end", "at_s": self._now_s(), "reason": reason})
        return reason

    def _now_s(self) -> float:
        return time.perf_counter() - self._began

    def _event(self, what: str, message: str, count: int = 0) -> None:
        logger.info("%s: %s", what, message)
        at_s = self._now_s()
        self._journal.write({"kind": "event", "at_s": at_s, "what": what, "message": message, "count": count})

    def _await_workers(self) -> bool:
        begun = looked = time.monotonic()
        longest_s = OTHERS_JOIN_S if self._plan.remote_workers else WORKERS_JOIN_S
        while not self._lobby.complete:
            now = time.monotonic()
            if self._stop.wait(_POLL_S) or self._lobby.failure is not None or now - begun > longest_s:
                return False
            if now - looked > _LOOK_AROUND_S:
                looked = now
                self._lobby.look_around()
        return True

    def _await_test_start(self) -> None:
        """Until the workers have run the scenario's ``test_start``: what it takes is no request's response time."""
        clients = self._runner.clients
        deadline = time.monotonic() + WORKERS_JOIN_S
        while (clients.ready or clients.spawning) and time.monotonic() < deadline:
            if self._stop.wait(_POLL_S):
                return

    def _say_good_bye(self) -> None:
        """``quitting``: the last moment at which listeners see what the run has come to, and judge it themselves."""
        self._runner.ending = True
        self._environment.events.quitting.fire(environment=self._environment, reverse=True)
        code = self._environment.process_exit_code
        if code:
            self._event("exit code", f"the scenario set environment.process_exit_code = {code}")

    def _tell_errors(self) -> None:
        for error, count in self._errors.most_common(_SHOWN_ERRORS):
            self._event("scenario", error + (f", {count:,} times" if count > 1 else ""), count)

    def _on_listener_failure(self, words: str) -> None:
        self._errors[words] += 1

    # What the workers send

    def _on_second(self, msg: Any, **_: Any) -> None:
        try:
            frames = self._merger.add(msg.node_id, msg.data, self._now_s())
        except ValueError as fault:
            self._refuse(str(msg.node_id), str(fault))
            return
        for frame in frames:
            self._journal.write(frame)
        self._write_seconds(self._merger.whole())

    def _refuse(self, worker: str, why: str) -> None:
        """A report that cannot be is left out, and so is known to be lacking; the worker's others still count."""
        logger.warning("a report of %s is refused: %s", worker, why)
        self._refused[worker] += 1
        if self._refused[worker] == 1 and len(self._refused) <= _SHOWN_ERRORS:
            self._event("report refused", f"what load worker {worker} reported cannot be read, and is lacking: {why}")

    def _write_seconds(self, seconds: list[tuple[Frame, SeriesTable]]) -> None:
        for frame, table in seconds:
            self._journal.write(frame)
            for series in Series.all_of(table) if self._steps else ():
                step = self._steps.get((series.phase, series.segment))
                if step is not None:
                    step.add(series)

    def _on_finished(self, msg: Any, **_: Any) -> None:
        self._finished.add(msg.node_id)
        self._dropped += msg.data["dropped"]
        self._errors.update(msg.data["errors"])
        if self._environment.process_exit_code is None:
            # Set by a task, say: where Locust runs alone, that is the process it is set in.
            self._environment.process_exit_code = msg.data["exit_code"]

    def _on_clock(self, worker: str, error_ms: float, bound_ms: float) -> None:
        if worker in self._workers:
            self._write_clock(self._lobby.members[worker].index, error_ms, bound_ms)

    def _write_clock(self, number: int, error_ms: float, bound_ms: float) -> None:
        frame = {"kind": "clock", "worker": number, "at_s": self._now_s(), "error_ms": error_ms, "bound_ms": bound_ms}
        self._journal.write(frame)

    def _on_failed(self, msg: Any, **_: Any) -> None:
        self.worker_failed(int(msg.data["index"]), one_line(str(msg.data["message"])))

    def worker_failed(self, index: int, words: str) -> None:
        """The worker with that number has ended before its time; these were its last words."""
        worker = self._lobby.member_at(index)
        if self._lobby.open:
            self._lobby.failed(index, words)
        elif worker is not None:
            self._lose(worker, words)

    def _on_quit(self, **_: Any) -> None:
        if self._stop_reason is None:
            self._event("scenario", "the scenario ended the run: it stopped or quit its runner")
            self.stop("scenario")

    def _watch(self) -> None:
        """Write seconds that a slow worker holds up."""
        while True:
            gevent.sleep(1)
            self._write_seconds(self._merger.overdue(self._now_s()))

    def _lose(self, worker: str, what: str) -> None:
        """A worker is gone: the others take over what it was to do, and nothing waits for it any more."""
        if self._lobby.open:
            member = self._lobby.members.get(worker)
            if member is not None:
                self._lobby.failed(member.index, what)
            return
        if worker not in self._workers or worker in self._finished:
            return
        self._workers.remove(worker)
        self._merger.lose(worker)
        self._runner.forget_users_of(worker)
        # It may only have stood still: what it did is counted then, and it does no more beside those that take over.
        self._runner.send_message(messages.FINISH, {"wait_s": 0.0}, client_id=worker)
        left = f"{len(self._workers)} left, which take over its users" if self._workers else "none is left"
        member = self._lobby.members[worker]
        self._event("worker lost", f"load worker {member.index} on {member.host} is lost: {what}; {left}")
        if not self._workers:
            self.stop("workers lost")
        elif self._current is not None and self._plan.phases[self._current[0]].model == "open":
            self._announce(*self._current, resumed=True)
        elif not self._runner.dispatching:
            self._ask_for(*self._asked_for)

    # Phases

    def _announce(self, index: int, at_s: float, *, resumed: bool) -> None:
        phase = self._plan.phases[index]
        for share, worker in enumerate(self._workers):
            self._runner.send_message(
                messages.PHASE,
                {
                    "phase": index,
                    "at_s": at_s,
                    "segments": [[s.start, s.end, s.duration_s] for s in phase.segments],
                    "open": phase.model == "open",
                    "spacing": phase.spacing,
                    "max_users": phase.max_users or 0,
                    "seed": self._plan.seed,
                    "worker": share,
                    "workers": len(self._workers),
                    "resumed": resumed,
                },
                client_id=worker,
            )

    def _run_phase(self, index: int, phase: Phase) -> None:
        at_s = self._now_s() + _LEAD_S
        self._current = (index, at_s)
        self._announce(index, at_s, resumed=False)
        self._wait_until(at_s)
        self._journal.write({"kind": "phase", "phase": index, "at_s": at_s})
        logger.info("phase %s: %s", phase.name, phase.description)
        held: int | None = None
        reason: PhaseEndReason = "done"
        if phase.model == "open":
            # Arrivals make their users as they come: who waits for all users to be there need wait no longer.
            users = self._runner.user_count
            self._environment.events.spawning_complete.fire(user_count=users)
            self._runner.send_message("spawning_complete", {"user_count": users})
        if phase.kind == "shape":
            self._run_shape()
        else:
            reason, held = self._run_segments(index, phase, at_s)
        if self._stop.is_set():
            reason = "cut short"
        self._current = None
        self._journal.write(
            {"kind": "phase_end", "phase": index, "at_s": self._now_s(), "reason": reason, "held_segment": held}
        )

    def _run_segments(self, index: int, phase: Phase, at_s: float) -> tuple[PhaseEndReason, int | None]:
        held: int | None = None
        begin_s = at_s
        for number, segment in enumerate(phase.segments):
            self._journal.write({"kind": "segment", "phase": index, "segment": number, "at_s": begin_s})
            if phase.until is not None:
                self._steps[index, number] = StepFigures()
            if phase.model == "closed":
                self._steer_users(segment.start, segment.end, segment.duration_s)
            end_s = begin_s + segment.duration_s
            last = number == len(phase.segments) - 1
            if phase.until is None:
                self._wait_until(end_s)
            else:
                # A step is judged when its last second has been reported: early in the next step.
                judged_s = begin_s + min(LAST_SECOND_S, segment.duration_s)
                if number and self._wait_until(judged_s) and self._broke(index, number - 1, phase):
                    return "limit broke", held
                if number and self._steps[index, number - 1].tells:
                    held = number - 1
                self._wait_until(end_s)
                if last and self._wait_until(end_s + LAST_SECOND_S):
                    if self._broke(index, number, phase):
                        return "limit broke", held
                    if self._steps[index, number].tells:
                        held = number
            if self._stop.is_set():
                return "cut short", held
            begin_s = end_s
        return "done", held

    def _broke(self, index: int, number: int, phase: Phase) -> bool:
        assert phase.until is not None
        broken = self._steps[index, number].breaks(phase.until, phase.segments[number].duration_s)
        if broken is not None:
            level = phase.segments[number].end
            unit = "users" if phase.model == "closed" else "arrivals/s"
            self._event("limit broke", f"phase {phase.name} at {level:,.0f} {unit}: {broken}")
        return broken is not None

    def _wait_until(self, at_s: float) -> bool:
        """Wait for that moment of the run; False where the run is to stop before."""
        return not self._stop.wait(max(0.0, at_s - self._now_s()))

    def _steer_users(self, start: float, end: float, duration_s: float) -> None:
        """Have Locust bring the users from one level to another: over the duration, or at once where they are alike."""
        users = round(end)
        distance = abs(users - round(start))
        rate = distance / duration_s if distance else max(1.0, float(users), float(self._runner.user_count))
        self._ask_for(users, rate)

    def _ask_for(self, *wanted: Any) -> None:
        """Have Locust bring the users there, whatever it is at."""
        if self._users_greenlet is not None:
            self._users_greenlet.kill()
        self._asked_for = wanted
        self._users_greenlet = gevent.spawn(self._runner.start, *wanted)

    def _run_shape(self) -> None:
        """Follow the scenario's ``LoadTestShape`` until it says None, a tick a second as Locust does."""
        shape = self._environment.shape_class
        assert shape is not None
        shape.reset_time()
        last: Any = None
        while not self._stop.is_set():
            try:
                tick = shape.tick()
                users, rate, *classes = tick or (0, 0)
            except Exception as error:  # user code may raise anything
                logger.exception("the scenario's LoadTestShape raised")
                self._event("error", f"LoadTestShape.tick() failed: {type(error).__name__}: {error}")
                self.stop("error")
                return
            if tick is None:
                return
            if tick != last:
                self._ask_for(users, rate, False, *classes)
                last = tick
            self._stop.wait(1)

    def _finish(self) -> None:
        """Have every worker end its users and send what is left."""
        if self._users_greenlet is not None:
            self._users_greenlet.kill()
        # A run that was stopped is to end; else arrivals that became due get their turn.
        wait_s = 0.0 if self._stop_reason else self._plan.stop_timeout_s
        for worker in self._workers:
            self._runner.send_message(messages.FINISH, {"wait_s": wait_s}, client_id=worker)
        deadline = time.monotonic() + wait_s + self._plan.stop_timeout_s + 10
        while missing := set(self._workers) - self._finished:
            gevent.sleep(_POLL_S)
            if time.monotonic() > deadline:
                self._event(
                    "worker lost", f"{len(missing)} load worker(s) did not end in time; their last seconds are lost"
                )
                break
        self._write_seconds(self._merger.rest())
        if self._dropped:
            message = f"{self._dropped:,} arrivals still waited for a user at the end; none was started"
            self._event("dropped", message, self._dropped)


def _obey(master: LoadMaster) -> None:
    """Lines of the controller (see the module's first lines). The end of its pipe means that it is gone."""
    lines = FileObjectPosix(sys.stdin.fileno(), "r")
    for line in lines:
        command, _, rest = line.strip().partition(" ")
        if command == "stop":
            master.stop(cast(EndReason, rest))
        elif command == "hurry":
            master.hurry()
        elif command == "failed":
            index, _, words = rest.partition(" ")
            master.worker_failed(int(index), words)


def main() -> None:
    """The master process: ``--plan FILE --journal FILE --run-id ID --target URL --bind ADDRESS --port N --parent PID``.

    Port 0 takes any that is free.
    """
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--plan", required=True, type=Path)
    arguments.add_argument("--journal", required=True, type=Path)
    arguments.add_argument("--run-id", required=True)
    arguments.add_argument("--target", required=True)
    arguments.add_argument("--bind", required=True)
    arguments.add_argument("--port", required=True, type=int)
    arguments.add_argument("--parent", required=True, type=int)
    given = arguments.parse_args()
    stdout = claim_stdout()
    die_with_parent(given.parent)
    log_to_stderr("master")
    allow_many_files()  # strangers may keep connections, too
    use_keys(take_secret())
    plan = RunPlan.model_validate_json(given.plan.read_text(encoding="utf-8"))
    random.seed(plan.seed)

    def answer(**line: Any) -> None:
        os.write(stdout, json.dumps(line).encode() + b"\n")

    scenario = load_scenario(plan.scenario.locustfiles)
    environment = make_environment(scenario, plan, host=given.target, is_master=True)
    bundle = collect(plan.scenario.locustfiles, Path.cwd().resolve()) if plan.remote_workers else None
    try:
        runner = environment._create_runner(LoadMasterRunner, given.bind, given.port)
    except zmq.ZMQError as fault:
        answer(error=str(fault))
        sys.exit(str(fault))
    if not reads_stats(scenario):
        drop_stats(environment)
    try:
        fire_init(environment)
    except ListenerError as error:
        sys.exit(str(error))
    with FrameWriter(given.journal) as journal:
        lobby = Lobby(runner, plan, given.target, bundle, lambda line: answer(say=one_line(line)))
        master = LoadMaster(plan, environment, runner, journal, lobby)
        gevent.spawn(_obey, master)
        answer(port=runner.server.port)
        if bundle is not None:
            answer(say=one_line(f"they are sent {bundle.describe()}; all else that it opens or imports must be there"))
        reason = master.run(given.run_id)
    logger.info("the run has ended: %s", reason)
    fire_quit(environment)
    runner.greenlet.kill(block=False)


if __name__ == "__main__":
    main()
