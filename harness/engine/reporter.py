"""Sends the master a report each second: the requests that ended in it, and the state of the worker."""

from __future__ import annotations

import math
import time

import gevent

from harness.cluster import messages
from harness.cpu_meter import CpuMeter
from harness.engine.checks import CheckRecorder
from harness.engine.host_guard import Guard
from harness.engine.lateness_recorder import LatenessRecorder
from harness.engine.locust.runners import LoadWorkerRunner
from harness.engine.pacing.arrival_scheduler import ArrivalScheduler
from harness.engine.pacing.timer import LAST, Alarm
from harness.engine.recorder import Recorder
from harness.engine.stalls import BlockWatch, Collector
from harness.record.journal_entries import WorkerSecond

REPORT_DELAY_S = 0.02
"""A second is reported this long after its end, when requests that ended on its edge have been recorded."""
LAG_PROBE_S = 0.02


class Reporter:
    """Reports of one worker, from :meth:`start` to :meth:`end`."""

    def __init__(
        self,
        runner: LoadWorkerRunner,
        index: int,
        recorder: Recorder,
        lateness: LatenessRecorder,
        scheduler: ArrivalScheduler,
        guard: Guard,
        block_watch: BlockWatch,
        checks: CheckRecorder,
    ) -> None:
        self._runner = runner
        self._index = index
        self._recorder = recorder
        self._lateness = lateness
        self._scheduler = scheduler
        self._guard = guard
        self._block_watch = block_watch
        self._checks = checks
        self._cpu = CpuMeter()
        self._garbage = Collector()
        self._lag_s = 0.0
        self._probe_due_s = math.inf
        self._probe = Alarm(self._probe_lag, priority=LAST)
        self._next_second = 0
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Call it at the run's second 0."""
        self._cpu.read()  # starting and joining do not count as load
        self._greenlet = gevent.spawn(self._each_second)
        self._probe_lag()

    def end(self) -> None:
        """Report all that is left."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._report(None)

    def _each_second(self) -> None:
        while True:
            ahead_s = self._next_second + 1 + REPORT_DELAY_S - self._recorder.now_s()
            if ahead_s > 0:
                gevent.sleep(ahead_s)
            self._report(int(self._recorder.now_s() - REPORT_DELAY_S))
            self._garbage.collect_if_due(len(self._runner.user_greenlets))

    def _probe_lag(self) -> None:
        """Measure how late the event loop wakes a sleeping greenlet: a request may be sent that late."""
        self._block_watch.reset()
        now_s = time.perf_counter()
        self._lag_s = max(self._lag_s, now_s - self._probe_due_s)
        self._probe_due_s = now_s + LAG_PROBE_S
        self._probe.set(LAG_PROBE_S)

    def _report(self, before_second: int | None) -> None:
        """Report what ended before that second (None: everything) and was not reported yet."""
        traced = self._recorder.take_traced()
        responses, skipped = self._recorder.take_responses()
        requests, endpoints, failures, samples = self._recorder.take(before_second)
        checks, check_samples = self._checks.take()
        cpu = self._cpu.read()
        last = int(self._recorder.now_s()) if before_second is None else before_second - 1
        self._next_second = last + 1
        state = WorkerSecond(
            self._index,
            users=len(self._runner.user_greenlets),
            cpu=cpu.used,
            lag_ms=self._lag_s * 1000,
            iterations=self._scheduler.iterations,
            late=self._scheduler.late,
            waiting=self._scheduler.waiting,
            starved=cpu.starved,
            throttled=cpu.throttled,
            stolen=cpu.stolen,
            held=self._guard.take_held(),
        )
        report = {
            "second": last,
            "state": state,
            "lateness": self._lateness.take().to_wire(),
            "endpoints": endpoints,
            "requests": requests,
            "failures": failures,
            "samples": samples,
            "traced": traced,
            "checks": checks,
            "check_samples": check_samples,
            "responses": responses,
            "skipped": skipped,
        }
        self._runner.send_message(messages.SECOND, report)
        self._lag_s = 0.0
        self._scheduler.iterations = self._scheduler.late = 0
