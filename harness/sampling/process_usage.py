"""Each second: CPU, memory, threads, file descriptors of the target and of the generator, and how the machine fares."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import psutil

from harness.record.resources import Reading, ResourceWriter
from harness.record.run_folder import RunFolder

_PERIOD_S = 1.0


class UsageMeter:
    """What a changing set of processes uses. CPU is counted by differences, so it needs two looks."""

    def __init__(self) -> None:
        self._known: dict[psutil.Process, float] = {}
        self._last_read_s: float | None = None

    def read(self, processes: list[psutil.Process], now_epoch_s: float) -> dict[str, float]:
        """Values by name (units in :mod:`harness.record.resources`); ``cpu_percent`` from the second look on.

        Processes that ended in between are left out, and what they used since the last look is lost.
        ``rss_bytes`` counts memory that processes share in each of them. ``fds`` is missing where it may not be seen.
        """
        values = {"rss_bytes": 0.0, "threads": 0.0, "fds": 0.0, "processes": 0.0}
        used: dict[psutil.Process, float] = {}
        gained = 0.0
        for process in processes:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    rss = process.memory_info().rss
                    threads = process.num_threads()
                    created = process.create_time()
            except psutil.Error:
                continue  # it ended, or is not ours to see
            used[process] = times.user + times.system
            # one that is new to us but older than our last look has used most of its time before
            before = self._known.get(process, 0.0 if created >= (self._last_read_s or now_epoch_s) else used[process])
            gained += max(0.0, used[process] - before)
            values["rss_bytes"] += rss
            values["threads"] += threads
            values["processes"] += 1
            try:
                if "fds" in values:
                    values["fds"] += process.num_fds()
            except psutil.Error:
                del values["fds"]
        if self._last_read_s is not None and now_epoch_s > self._last_read_s:
            values["cpu_percent"] = 100.0 * gained / (now_epoch_s - self._last_read_s)
        self._known, self._last_read_s = used, now_epoch_s
        return values


class ProcessSampler:
    """Writes a reading a second for ``target``, ``generator`` and ``machine`` until it is closed.

    ``generator_pids`` is asked each second, for workers come and go. ``target_pid`` None leaves the target out.
    """

    name = "process"

    def __init__(self, target_pid: int | None, generator_pids: Callable[[], list[int]], folder: RunFolder) -> None:
        self.notes: list[str] = []
        self._target_pid = target_pid
        self._generator_pids = generator_pids
        self._writer = ResourceWriter(folder.resources)
        self._target = UsageMeter()
        self._generator = UsageMeter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process-sampler", daemon=True)

    def start(self) -> None:
        """Begin; the first reading is written after a second."""
        self._thread.start()

    def close(self) -> None:
        """End; returns when the last reading is written."""
        self._ended.set()
        self._thread.join()
        self._writer.close()

    def _run(self) -> None:
        try:
            psutil.cpu_times_percent(None)  # differences: this is the first look
            self._readings(time.time())
            due = time.monotonic() + _PERIOD_S
            while not self._ended.wait(max(0.0, due - time.monotonic())):
                for reading in self._readings(time.time()):
                    self._writer.write(reading)
                due = max(due + _PERIOD_S, time.monotonic())  # a second that was missed is not made up for
        except Exception as error:  # noqa: BLE001  (sampling that fails must not end the run: it is noted)
            self.notes.append(f"resources were not sampled to the end: {type(error).__name__}: {error}")

    def _readings(self, now: float) -> list[Reading]:
        readings = [Reading(now, "machine", _machine())]
        if self._target_pid is not None:
            readings.append(Reading(now, "target", self._target.read(_tree(self._target_pid), now)))
        generator = [process for pid in self._generator_pids() if (process := _process(pid))]
        readings.append(Reading(now, "generator", self._generator.read(generator, now)))
        return [reading for reading in readings if reading.values.get("processes") != 0]


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _tree(pid: int) -> list[psutil.Process]:
    root = _process(pid)
    if root is None:
        return []
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _machine() -> dict[str, float]:
    times = psutil.cpu_times_percent(None)
    memory = psutil.virtual_memory()
    return {
        "cpu_percent": (100.0 - times.idle - getattr(times, "iowait", 0.0)) * (psutil.cpu_count() or 1),
        "steal_percent": getattr(times, "steal", 0.0),
        "load_1m": os.getloadavg()[0],
        "memory_used_bytes": float(memory.total - memory.available),
        "memory_total_bytes": float(memory.total),
    }
