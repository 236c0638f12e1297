"""Runs a plan over the workers that have joined, from registration to the end of the journal."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection
from typing import Any

import gevent
from locust.env import Environment

from harness.cluster import messages
from harness.engine.contract_checker import ContractChecker
from harness.engine.dealing import Dealer
from harness.engine.failure_kinds import ErrorCounts
from harness.engine.last_words import LastWords
from harness.engine.locust.listeners import ListenerFailures, exit_code_of, hold_back_spawning_complete, start_test
from harness.engine.locust.runners import LoadMasterRunner
from harness.engine.merger import Merger
from harness.engine.phase_runner import PhaseRunner
from harness.engine.run_state import RunState
from harness.engine.worker_registry import WorkerRegistry
from harness.messages import Message, message
from harness.plan.model.run import RunPlan
from harness.record.frames import Frame
from harness.record.journal import SCHEMA
from harness.record.journal_entries import EndReason
from harness.record.second_table import SecondTable

WORKERS_JOIN_S = 60.0
OTHERS_JOIN_S = 600.0
"""People have to start workers on the other machines."""
_REAP_S = 1.0
_POLL_S = 0.05
_SHOWN_ERRORS = 10

logger = logging.getLogger(__name__)


class LoadMaster:
    """Runs the phases of a plan over the workers that have joined."""

    def __init__(
        self,
        plan: RunPlan,
        environment: Environment,
        runner: LoadMasterRunner,
        run_state: RunState,
        registry: WorkerRegistry,
        checker: ContractChecker | None,
    ) -> None:
        self._plan = plan
        self._environment = environment
        self._runner = runner
        self._run_state = run_state
        self._registry = registry
        self._checker = checker
        self._workers: list[str] = []
        self._targets: dict[str, int] = {}
        """Which target each worker puts load on, by its id."""
        self._phase_runner = PhaseRunner(plan, environment, runner, run_state, self._workers, self._targets)
        self._merger = Merger({})
        self._asked_to_finish: set[str] = set()
        self._finished: set[str] = set()
        self._dropped = 0
        self._errors = ErrorCounts()
        self._rejected: Counter[str] = Counter()
        """Rejected reports, by worker."""
        Dealer(runner, plan)
        self._let_spawning_complete_through = hold_back_spawning_complete(environment)
        logging.getLogger().addHandler(ListenerFailures(self._errors.add))
        runner.register_message(messages.FINISHED, self._on_finished)
        runner.register_message(messages.FAILED, self._on_failed)
        runner.register_message(messages.QUIT, self._on_quit)
        runner.on_quit = self._on_quit
        runner.on_report = self._on_report
        runner.on_lost = self._lose
        runner.on_clock = self._on_clock
        if runner.has_quit:
            self._on_quit()

    def abort(self) -> None:
        """After :meth:`stop`: abort running requests."""
        self._runner.send_message(messages.ABORT, {})

    def run(self, run_id: str, left_out: Collection[int] = ()) -> EndReason:
        """Run from the moment that workers may join to the last frame of the journal, without the phases left out."""
        reason: EndReason
        if not self._await_workers():
            self._run_state.record("start", schema=SCHEMA, run_id=run_id, epoch_s=time.time())
            if self._run_state.stop_reason is None:
                self._run_state.event("workers lost", self._registry.failure or self._registry.count())
            self._fire_quitting()
            reason = self._run_state.stop_reason or "workers lost"
            self._run_state.record("end", at_s=0.0, reason=reason)
            return reason
        workers = self._registry.close_registration()
        self._workers.extend(workers)
        self._targets |= {worker: self._plan.target_of(joined.index) for worker, joined in workers.items()}
        self._merger = Merger({worker: self._plan.targets[target].name for worker, target in self._targets.items()})
        if self._plan.is_duet:
            self._runner.share_users(self._targets)
        start_test(self._environment, self._runner, self._plan.peak_users)
        self._await_test_start()
        self._let_spawning_complete_through()
        epoch_s, self._run_state.began_s = time.time(), time.perf_counter()
        self._run_state.record("start", schema=SCHEMA, run_id=run_id, epoch_s=epoch_s)
        for joined in workers.values():
            self._run_state.record("worker", worker=joined.index, host=joined.host)
            self._write_clock(joined.index, *joined.clock_ms)
        self._runner.send_message(messages.BEGIN, {"began_s": self._run_state.began_s})
        watch = gevent.spawn(self._watch)
        for index, phase in enumerate(self._plan.phases):
            if self._run_state.stopped:
                break
            if index not in left_out:
                self._phase_runner.run(index, phase)
        self._environment.events.test_stopping.fire(environment=self._environment)
        self._finish()
        self._runner.mark_stopped()
        self._environment.events.test_stop.fire(environment=self._environment)
        watch.kill()
        self._fire_quitting()
        self._report_errors()
        reason = self._run_state.stop_reason or "done"
        self._run_state.record("end", at_s=self._run_state.now_s(), reason=reason)
        return reason

    def _await_workers(self) -> bool:
        begun = reaped = time.monotonic()
        longest_s = OTHERS_JOIN_S if self._plan.remote_workers else WORKERS_JOIN_S
        while not self._registry.complete:
            now = time.monotonic()
            if self._run_state.wait(_POLL_S) or self._registry.failure is not None or now - begun > longest_s:
                return False
            if now - reaped > _REAP_S:
                reaped = now
                self._registry.reap_disconnected()
        return True

    def _await_test_start(self) -> None:
        """Wait until the workers have run the scenario's ``test_start``, which must not delay requests."""
        deadline = time.monotonic() + WORKERS_JOIN_S
        while self._runner.preparing_test and time.monotonic() < deadline:
            if self._run_state.wait(_POLL_S):
                return

    def _fire_quitting(self) -> None:
        """Fire ``quitting``, in which listeners of the scenario may judge the run and set an exit code."""
        self._runner.ending = True
        last_words, at_s = LastWords(), time.time()
        logging.getLogger().addHandler(last_words)
        self._environment.events.quitting.fire(environment=self._environment, reverse=True)
        code = exit_code_of(self._environment)
        if not code:
            return
        reason = next((error for error in self._errors if error.code == "scenario-exited"), None)
        if reason is None:
            reason = message("scenario-exit-code", exit_code=code, logged=last_words.since(at_s))
        self._run_state.event("exit code", reason, self._errors.pop(reason, 0))

    def _report_errors(self) -> None:
        for error, count in self._errors.most_common(_SHOWN_ERRORS):
            if count > 1:
                error = message("scenario-error-repeated", error=error, count=count)
            self._run_state.event("scenario", error, count)

    # What the workers send

    def _on_report(self, worker: str, data: Any) -> None:
        try:
            frames = self._merger.add(worker, data, self._run_state.now_s())
        except ValueError as error:
            self._reject(worker, str(error))
            return
        for frame in frames:
            self._run_state.write(frame)
        if self._checker is not None:
            self._checker.check(*self._merger.take_responses())
        self._write_seconds(self._merger.whole())

    def _reject(self, worker: str, why: str) -> None:
        """Leave out an invalid report and record that it is missing; other reports of the worker still count."""
        logger.warning("rejected a report of %s: %s", worker, why)
        self._rejected[worker] += 1
        if self._rejected[worker] == 1 and len(self._rejected) <= _SHOWN_ERRORS:
            problem = message("report-rejected", worker=self._registry.describe(worker), problem=why)
            self._run_state.event("report refused", problem)

    def _write_seconds(self, seconds: list[tuple[Frame, SecondTable]]) -> None:
        for frame, table in seconds:
            self._run_state.write(frame)
            self._phase_runner.add(frame["second"], table)

    def _on_finished(self, msg: Any, **_: Any) -> None:
        if msg.node_id not in self._asked_to_finish:
            # It had lost the connection for so long that it gave up; this arrived when the connection was back.
            self._lose(msg.node_id, message("worker-ended-early"))
        self._finished.add(msg.node_id)
        self._dropped += msg.data["dropped"]
        self._errors.add_wire(msg.data["errors"])
        if self._environment.process_exit_code is None:
            # Set by a task, say: in Locust alone, tasks run in the process whose exit code it is.
            self._environment.process_exit_code = msg.data["exit_code"]

    def _on_clock(self, worker: str, error_ms: float, bound_ms: float) -> None:
        if worker in self._workers:
            self._write_clock(self._registry.workers[worker].index, error_ms, bound_ms)

    def _write_clock(self, number: int, error_ms: float, bound_ms: float) -> None:
        at_s = self._run_state.now_s()
        self._run_state.record("clock", worker=number, at_s=at_s, error_ms=error_ms, bound_ms=bound_ms)

    def _on_failed(self, msg: Any, **_: Any) -> None:
        self.worker_failed(int(msg.data["index"]), Message.from_data(msg.data["reason"]))

    def worker_failed(self, index: int, reason: Message) -> None:
        """The worker with that number has ended before its time."""
        worker = self._registry.worker_at(index)
        if self._registry.open:
            self._registry.failed(index, reason)
        elif worker is not None:
            self._lose(worker, reason)

    def _on_quit(self, msg: Any = None, **_: Any) -> None:
        if self._run_state.stop_reason is None:
            data = {} if msg is None else msg.data
            reason = data.get("reason")
            if self._environment.process_exit_code is None:
                # Its worker may not have joined, and then says no more.
                self._environment.process_exit_code = data.get("exit_code") or None
            text = message("scenario-ended-run") if reason is None else Message.from_data(reason)
            self._run_state.event("scenario", text)
            self._run_state.stop("scenario")

    def _watch(self) -> None:
        """Write seconds that a slow worker holds up."""
        while True:
            gevent.sleep(1)
            self._write_seconds(self._merger.overdue(self._run_state.now_s()))

    def _lose(self, worker: str, reason: Message) -> None:
        """A worker is lost: the others take over its load, and nothing waits for it any more."""
        if self._registry.open:
            lost = self._registry.workers.get(worker)
            if lost is not None:
                self._registry.failed(lost.index, reason)
            return
        if worker not in self._workers or worker in self._finished:
            return
        self._workers.remove(worker)
        self._merger.lose(worker)
        self._runner.forget_users_of(worker)
        # It may only have been suspended: then its last seconds still count, and it starts nothing beside the others.
        self._ask_to_finish(worker, 0.0)
        lost = self._registry.workers[worker]
        what = {"worker": lost.index, "host": lost.host, "reason": reason}
        if self._workers:
            self._run_state.event("worker lost", message("worker-lost", left=len(self._workers), **what))
            self._phase_runner.take_over()
        else:
            self._run_state.event("worker lost", message("last-worker-lost", **what))
            self._run_state.stop("workers lost")

    def _ask_to_finish(self, worker: str, wait_s: float) -> None:
        self._asked_to_finish.add(worker)
        self._runner.send_message(messages.FINISH, {"wait_s": wait_s}, client_id=worker)

    def _finish(self) -> None:
        """Have every worker stop its users and send what is left."""
        self._phase_runner.end()
        # Arrivals that are due still get their turn, unless the run was stopped early.
        wait_s = 0.0 if self._run_state.stop_reason else self._plan.stop_timeout_s
        for worker in self._workers:
            self._ask_to_finish(worker, wait_s)
        deadline = time.monotonic() + wait_s + self._plan.stop_timeout_s + 10
        while missing := set(self._workers) - self._finished:
            gevent.sleep(_POLL_S)
            if time.monotonic() > deadline:
                self._run_state.event("worker lost", message("workers-end-timeout", count=len(missing)))
                break
        self._write_seconds(self._merger.rest())
        if self._dropped:
            text = message("arrivals-dropped", count=self._dropped)
            self._run_state.event("dropped", text, self._dropped)
