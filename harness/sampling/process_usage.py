"""Each second: CPU, memory, threads and file descriptors of target and load generator."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from heapq import nlargest

import psutil

from harness.record.resources import OTHERS, Line, LineChart, Reading, process_source
from harness.sampling.dependencies import DependencyFinder
from harness.sampling.machine_usage import MachineMeter
from harness.sampling.other_processes import OtherProcesses, OthersClock
from harness.sampling.process_tree import process_trees
from harness.sampling.sampler import PID_UNKNOWN, During, PeriodicSampler, SamplerKind, SamplingContext
from harness.sampling.tree_clock import TreeClock
from harness.sampling.waiting import QuotaMeter, RunQueueMeter

_MOST_PROCESSES = 64
"""A target may have any number of processes; the largest are recorded by themselves."""
_BUSY_PERCENT = 20.0
"""What others use from there on may take cores from the target: they are named (100 = one core)."""


class UsageMeter:
    """What a changing set of processes uses. CPU comes from differences, so it needs two readings."""

    def __init__(self) -> None:
        self._clock = TreeClock()
        self._last_read_s: float | None = None
        self.by_process: dict[int, dict[str, float]] = {}
        """What each process uses by the last reading: ``rss_bytes``, and ``cpu_s`` since its start."""

    def read(self, processes: list[psutil.Process], now_epoch_s: float) -> dict[str, float]:
        """Values by name (units in :mod:`harness.record.resources`); ``cpu_percent`` from the second reading on.

        ``rss_bytes`` counts memory that processes share once for each. ``fds`` is missing if one of the processes hides
        its own.
        """
        gained = self._clock.gained(process.pid for process in processes)
        values = {"rss_bytes": 0.0, "threads": 0.0, "fds": 0.0, "processes": 0.0}
        self.by_process = {}
        for process in processes:
            try:
                with process.oneshot():
                    rss = process.memory_info().rss
                    threads = process.num_threads()
            except psutil.Error:
                continue  # it ended, or belongs to another user
            self.by_process[process.pid] = {"rss_bytes": float(rss), "cpu_s": self._clock.used_s(process.pid)}
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
        self._last_read_s = now_epoch_s
        return values


class ProcessUsageSampler(PeriodicSampler):
    """Readings of ``target`` and ``process PID`` (if its process is known), ``generator`` and ``machine``.

    The CPU of *others* is what all processes of the machine used less what the target, the servers that it is connected
    to, and the harness did. Where the target's process is not known, it would be one of the others, so there is no such
    figure.
    """

    def __init__(self, context: SamplingContext, harness_pid: int | None = None) -> None:
        """The harness is the process ``harness_pid``, by default this one, with all that it started."""
        super().__init__(context)
        self._targets = [target for _, target in context.targets]
        self._harness_pid = harness_pid or os.getpid()
        self._generator_pids = context.generator_pids
        self._target = UsageMeter()
        self._generator = UsageMeter()
        self._machine = MachineMeter()
        self._others_clock = OthersClock()
        self._dependencies = TreeClock()
        self._finder = DependencyFinder()
        self._others = OtherProcesses()
        self._run_queue = RunQueueMeter()
        self._quota = QuotaMeter(next(iter(self._target_pids()), 0))
        self._last_read_s: float | None = None
        if not self._target_pids():
            self.note(PID_UNKNOWN)

    def _target_pids(self) -> list[int]:
        """A fault may have started a target again."""
        return [pid for target in self._targets if (pid := target.pid) is not None]

    def read(self, now_epoch_s: float) -> list[Reading]:
        elapsed_s = now_epoch_s - (self._last_read_s or now_epoch_s)
        self._last_read_s = now_epoch_s
        machine, readings = self._machine.read(), []
        if roots := self._target_pids():
            pids, of_harness, serving = self._look(roots, now_epoch_s)
            others_s = self._others_clock.gained({*pids, *of_harness, *serving})
            usage = self._target.read(_processes(pids), now_epoch_s)
            waited_s, throttled_s = self._run_queue.waited_s(pids), self._quota.throttled_s()
            serving_s = self._dependencies.gained(serving)
            if elapsed_s > 0:
                usage["waiting_percent"] = 100 * waited_s / elapsed_s
                usage["throttled_percent"] = 100 * throttled_s / elapsed_s
                if serving:
                    machine["dependencies_percent"] = 100 * serving_s / elapsed_s
                machine["others_percent"] = 100 * others_s / elapsed_s
                if machine["others_percent"] > _BUSY_PERCENT:
                    named = self._others.look({*pids, *of_harness, *serving}, now_epoch_s)
                    readings += [Reading(now_epoch_s, OTHERS, named)] if named else []
            readings.append(Reading(now_epoch_s, "target", usage))
            readings += self._each_process(now_epoch_s)
        generator = self._generator.read(_processes(self._generator_pids()), now_epoch_s)
        readings.append(Reading(now_epoch_s, "generator", generator))
        readings.append(Reading(now_epoch_s, "machine", machine))
        return [reading for reading in readings if reading.values.get("processes") != 0]

    def _look(self, roots: Sequence[int], now_epoch_s: float) -> tuple[list[int], set[int], set[int]]:
        """The processes of the target, the others of the harness, and those that serve the target."""
        *trees, of_harness = process_trees(*roots, self._harness_pid)
        target = [pid for tree in trees for pid in tree]
        # Everything that the harness has started: the target, too, if it did.
        harness = set(of_harness).difference(target)
        serving = process_trees(*self._finder.roots(target, harness, now_epoch_s))
        return target, harness, {pid for tree in serving for pid in tree}.difference(target, harness)

    def _each_process(self, now_epoch_s: float) -> Iterator[Reading]:
        """The largest processes of a single target; a duet compares its builds as a whole."""
        if len(self._targets) == 1:
            largest = nlargest(
                _MOST_PROCESSES, self._target.by_process.items(), key=lambda process: process[1]["rss_bytes"]
            )
            for pid, values in largest:
                yield Reading(now_epoch_s, process_source(pid), values)


def _processes(pids: Iterable[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):  # it has ended
            found.append(psutil.Process(pid))
    return found


PROCESS_USAGE = SamplerKind(
    name="process usage",
    stream="resources",
    during=During.WHOLE_RUN,
    create=ProcessUsageSampler,
    charts=(
        LineChart(
            "cpu",
            "CPU",
            (
                Line("target", "cpu_percent", "target", "blue"),
                Line("generator", "cpu_percent", "generator", "orange"),
                Line("machine", "dependencies_percent", "servers that the target uses", "green"),
                Line("machine", "cpu_percent", "machine", "grey"),
            ),
            empty="CPU was not sampled.",
            note="100 % is one core",
            suffix=" %",
        ),
        LineChart(
            "starvation",
            "Waiting for a core",
            (
                Line("target", "waiting_percent", "target's threads", "blue"),
                Line("machine", "others_percent", "CPU of others", "red"),
                Line("machine", "pressure_percent", "pressure of the machine", "grey"),
                Line("machine", "steal_percent", "stolen by the hypervisor", "purple"),
                Line("target", "throttled_percent", "target throttled", "orange"),
            ),
            empty="Waiting was not sampled.",
            note="100 % is one thread that waits, or one core that others use",
            suffix=" %",
        ),
        LineChart(
            "pressure",
            "Waiting for memory and disk",
            (
                Line("machine", "memory_pressure_percent", "memory", "purple"),
                Line("machine", "disk_pressure_percent", "disk", "orange"),
            ),
            empty="No process of the machine waited for memory or disk.",
            note="share of the time in which some process of the machine waited",
            suffix=" %",
        ),
        LineChart(
            "network",
            "Network of the machine",
            (
                Line("machine", "received_bytes_per_s", "received", "blue", scale=1e6),
                Line("machine", "sent_bytes_per_s", "sent", "green", scale=1e6),
                Line("machine", "retransmits_per_s", "segments sent again per second", "red"),
            ),
            empty="Nothing was sent.",
            note="MB per second, with loopback",
        ),
        LineChart(
            "memory",
            "Memory",
            (
                Line("target", "rss_bytes", "target", "blue", scale=1e6),
                Line("generator", "rss_bytes", "generator", "orange", scale=1e6),
            ),
            empty="Memory was not sampled.",
            note="resident set size",
            suffix=" MB",
        ),
        LineChart(
            "handles",
            "Threads and file descriptors of the target",
            (Line("target", "threads", "threads", "blue"), Line("target", "fds", "file descriptors", "orange")),
            empty="The target's process was not sampled.",
            decimals=0,
        ),
    ),
)
