"""One load worker: records the requests of its users, starts what arrives, and reports once a second."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Sequence
from itertools import accumulate
from types import ModuleType
from typing import Any

import gevent
from locust import User
from locust.env import Environment

from harness.cluster import messages
from harness.engine.checks import CheckRecorder, use_recorder
from harness.engine.failure_details import describe_failure, encodable
from harness.engine.failure_kinds import ErrorCounts
from harness.engine.host_guard import Guard
from harness.engine.http.tracing import RequestSampler
from harness.engine.last_words import LastWords
from harness.engine.lateness_recorder import LatenessRecorder
from harness.engine.locust.held_responses import record_held_responses
from harness.engine.locust.listeners import (
    ListenerFailures,
    exit_code_of,
    hold_back_spawning_complete,
    listen_first,
    report_failed_users,
    user_not_created,
)
from harness.engine.locust.patches import patch_locust
from harness.engine.locust.runners import LoadWorkerRunner
from harness.engine.locust.traced_clients import trace_locust_clients
from harness.engine.pacing.arrival_scheduler import ArrivalScheduler
from harness.engine.pacing.arrivals import ArrivalPartition, RateSegment, arrival_times
from harness.engine.phase_track import PhaseTrack
from harness.engine.recorder import IntendedStarts, Recorder
from harness.engine.reporter import Reporter
from harness.engine.response_sampler import ResponseSampler
from harness.engine.stalls import BlockWatch
from harness.messages import message

_STOP_POLL_S = 0.02
_CLOCK_REPORT_S = 10.0
"""How often the worker reports the error of its clock."""
_ROUNDS = 8
"""Clock requests to the master before the run; the quickest reply counts."""
_ABORT_S = 0.3
_RECONNECT_S = 0.7
"""A worker that has lost the master ends within 5 s, of which detection takes 3 s (``harness.cluster.transport``)."""
MASTER_LOST = 4
_ABORT_AGAIN_S = 0.5
"""Between two kills of a user that sends requests while it stops, in ``on_stop``."""

logger = logging.getLogger(__name__)


class LoadWorker:
    """One worker's recorder, arrival scheduler and reports, connected to its Locust runner."""

    def __init__(
        self,
        environment: Environment,
        runner: LoadWorkerRunner,
        index: int,
        guarding: Guard,
        modules: Sequence[ModuleType],
        traces: Sequence[float] | None,
        sampler: ResponseSampler | None,
    ) -> None:
        """``traces``: which share of the requests is traced in each phase; None: traces are off.

        ``sampler`` keeps responses for the check against a contract.
        """
        self._environment = environment
        self._runner = runner
        self._index = index
        # Locust counts every peer that ever contacted the master; scenarios divide their data by this number.
        runner.worker_index = index
        self._clock_reported_s = time.perf_counter()
        self.exit_code = 0
        self._track = PhaseTrack()
        self._traces = traces
        self._request_sampler = RequestSampler()
        starts: IntendedStarts = {}
        self._errors = ErrorCounts()
        self._recorder = Recorder(self._track, starts, self._errors.add)
        self._recorder.sampler = sampler
        if traces is not None:
            self._recorder.keep_traced()
            environment.harness_request_sampler = self._request_sampler  # type: ignore[attr-defined]  # as below
            trace_locust_clients(self._request_sampler)
        lateness = LatenessRecorder(self._track)
        self._scheduler = ArrivalScheduler(self._recorder.now_s, self._next_class, self._spawn_user, lateness.note)
        self._partition = ArrivalPartition(iter(()), 0, 1)
        """This worker's arrivals of the last open phase."""
        self._arrivals: dict[type[User], int] = {}
        self._aborted = False
        block_watch = BlockWatch(modules, self._errors.add)
        checks = CheckRecorder(self._track, self._recorder.now_s)
        use_recorder(checks)
        self._reporter = Reporter(
            runner, index, self._recorder, lateness, self._scheduler, guarding, block_watch, checks
        )
        self._last_words = LastWords()
        self._let_spawning_complete_through = hold_back_spawning_complete(environment)
        self._listen_to_users(starts, guarding)
        self._listen_to_master()

    def _listen_to_users(self, starts: IntendedStarts, guarding: Guard) -> None:
        listen_first(self._environment.events.request, self._recorder.on_request)
        self._environment.harness_recorder = self._recorder  # type: ignore[attr-defined]  # ours: see harness.engine.http.request_event
        patch_locust(self._scheduler, starts, self._recorder.under_way, guarding)
        report_failed_users(self._runner, self._errors.add)
        self._environment.events.user_error.add_listener(self._on_user_error)
        for handler in (ListenerFailures(self._errors.add), self._last_words):
            logging.getLogger().addHandler(handler)

    def _listen_to_master(self) -> None:
        runner = self._runner
        runner.register_message(messages.BEGIN, self._on_begin)
        runner.register_message(messages.PHASE, self._on_phase)
        runner.register_message(messages.FINISH, self._on_finish, concurrent=True)
        runner.register_message(messages.ABORT, self._on_abort, concurrent=True)
        runner.on_lost = self._on_master_lost

    def join(self) -> None:
        """Report to the master that this worker is ready, once their clocks agree."""
        if not self._runner.align(_ROUNDS):
            sys.exit("the load master accepted this worker, but no longer replies")
        data = {"index": self._index, "host": socket.gethostname(), "clock_ms": self._clock_ms()}
        self._runner.send_message(messages.JOINED, data)

    def run(self) -> None:
        """Until the run's end. User code that exits this process ends the run in order, and loses no request."""
        while True:
            try:
                self._runner.greenlet.join()
            except SystemExit as exited:
                logger.error("the scenario ended this worker by sys.exit(%r)", exited.code)
                logged = self._last_words.since(time.time())
                self._errors.add(message("scenario-exited", code=encodable(exited.code), logged=logged))
                if self._environment.process_exit_code is None:
                    self._environment.process_exit_code = exited.code if isinstance(exited.code, int) else 1
                self._runner.quit()
            else:
                return

    def _clock_ms(self) -> tuple[float, float]:
        error_s, bound_s = self._runner.clock.error(time.perf_counter())
        return error_s * 1000, bound_s * 1000

    def _follow_clock(self) -> None:
        now_s = time.perf_counter()
        self._recorder.shift(-self._runner.clock.follow(now_s))
        if now_s - self._clock_reported_s >= _CLOCK_REPORT_S:
            self._clock_reported_s = now_s
            self._runner.clock_ms = self._clock_ms()

    def _on_begin(self, msg: Any, **_: Any) -> None:
        self._recorder.begin(msg.data["began_s"] - self._runner.clock.offset_s)
        self._runner.on_clock_reply = self._follow_clock
        self._let_spawning_complete_through()
        self._reporter.start()

    def _on_phase(self, msg: Any, **_: Any) -> None:
        data = msg.data
        segments = [RateSegment(*segment) for segment in data["segments"]]
        durations = [segment.duration_s for segment in segments]
        if data["from_s"] == data["at_s"]:
            self._pause(data["at_s"], durations, data["turns"])
        self._track.begin(data["phase"], data["at_s"], durations, is_open=data["open"], first=data["first"])
        if self._traces is not None:
            ahead_s = max(0.0, data["at_s"] - self._recorder.now_s())
            gevent.spawn_later(ahead_s, self._request_sampler.change, self._traces[data["phase"]])
        if not data["open"] and segments and not any(segment.start or segment.end for segment in segments):
            # A pause: users wait as if for arrivals, and start nothing until they are stopped. (A shape's phase has no
            # segments.)
            self._scheduler.open(data["at_s"], iter(()), 0, lambda: 0)
            return
        if not data["open"]:
            # Announced a little ahead: until it begins, arrivals still set the pace.
            gevent.spawn_later(max(0.0, data["at_s"] - self._recorder.now_s()), self._scheduler.close, data["at_s"])
            return
        # With fewer users than workers, some workers have no part of the arrivals.
        worker, workers = data["worker"], min(data["workers"], data["max_users"])
        is_idle = worker >= workers
        max_users = 0 if is_idle else data["max_users"] // workers + (worker < data["max_users"] % workers)
        if data["from_s"] > data["at_s"]:
            self._partition.change(data["from_s"] - data["at_s"], worker, workers)
            if not is_idle:
                self._scheduler.reopen(data["at_s"], self._partition, max_users)
            return
        for index, turn in enumerate(data["turns"]):
            if not turn:
                segments[index] = RateSegment(0, 0, durations[index])
        seed = f"{data['seed']}:{data['phase']}" + (f":{data['first']}" if data["first"] else "")
        self._partition = ArrivalPartition(arrival_times(segments, spacing=data["spacing"], seed=seed), worker, workers)
        times = iter(()) if is_idle else self._partition
        self._scheduler.open(data["at_s"], times, max_users, lambda: len(self._runner.user_greenlets))

    def _pause(self, at_s: float, durations_s: list[float], turns: list[bool]) -> None:
        """Have users of the closed model begin nothing in the segments that are the other variant's turn."""
        for begin_s, duration_s, turn in zip(accumulate(durations_s, initial=at_s), durations_s, turns, strict=False):
            if not turn:
                self._scheduler.pauses.add(begin_s, begin_s + duration_s)

    def _next_class(self) -> type[User]:
        """The user class of the next arrival: the one furthest below its share by weight.

        ``fixed_count`` does not apply to arrivals: such a class counts by its weight (1 if that is 0).
        """
        classes = self._environment.user_classes
        if len(classes) == 1:
            return classes[0]
        chosen = min(classes, key=lambda c: (self._arrivals.get(c, 0) + 1) / (c.weight or 1))
        self._arrivals[chosen] = self._arrivals.get(chosen, 0) + 1
        return chosen

    def _spawn_user(self, user_class: type[User]) -> None:
        try:
            user = user_class(self._environment)
        except Exception as error:  # user code may raise anything; its arrival waits for another user
            logger.exception("a user of class %s could not be created", user_class.__name__)
            self._errors.add(user_not_created(error))
        else:
            user.start(self._runner.user_greenlets)

    def _on_finish(self, msg: Any, **_: Any) -> None:
        self._runner.begin_ending()
        self._track.end(self._recorder.now_s())
        self._scheduler.end()
        given_up_s = time.perf_counter() + msg.data["wait_s"]
        # At least one turn, so that users begin with arrivals they have just been given.
        gevent.sleep(0)
        while self._scheduler.waiting and time.perf_counter() < given_up_s and not self._aborted:
            gevent.sleep(_STOP_POLL_S)
        dropped = self._scheduler.give_up()
        self._runner.end_users()
        while self._runner.user_greenlets:
            gevent.sleep(_STOP_POLL_S)
        record_held_responses()
        self._reporter.end()
        self._runner.send_last_stats()
        self._report_finished(dropped)

    def _report_finished(self, dropped: int) -> None:
        exit_code = exit_code_of(self._environment)
        data = {"dropped": dropped, "errors": self._errors.to_wire(), "exit_code": exit_code}
        self._runner.send_message(messages.FINISHED, data)

    def _on_abort(self, **_: Any) -> None:
        """Abort running requests; they are recorded as interrupted."""
        self._aborted = True
        while self._runner.user_greenlets:
            self._runner.user_greenlets.kill(block=False)
            gevent.sleep(_ABORT_AGAIN_S)

    def _on_master_lost(self) -> None:
        """End at once and abort requests. Unsent results are sent if the connection comes back in time."""
        logger.error("the connection to the load master was lost: aborting all requests")
        self._runner.begin_ending()
        self._track.end(self._recorder.now_s())
        self._scheduler.end()
        self._scheduler.give_up()
        gevent.spawn(self._on_abort).join(_ABORT_S)
        self._reporter.end()
        self._report_finished(0)
        self._runner.is_connected.wait(_RECONNECT_S)
        self.exit_code = MASTER_LOST
        self._runner.greenlet.kill(block=False)

    def _on_user_error(self, exception: BaseException, **_: Any) -> None:
        """Count what tasks raised: even if no request failed, the scenario did not do what it was meant to."""
        error = describe_failure(exception, None)
        self._errors.add(message("task-raised", error=error))
