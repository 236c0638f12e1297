"""Records each second how long reference work takes: a shared machine changes its speed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from harness.record.profiles import Profile
from harness.record.resources import REFERENCE_WORK, Line, LineChart, Reading, Tone
from harness.sampling import reference_work
from harness.sampling.child import start_child
from harness.sampling.reference_work import TASKS
from harness.sampling.sampler import During, PeriodicSampler, Sampler, SamplerKind, SamplingContext
from harness.steady_clock import now_s

_NAMES = [f"{task.__name__}_us" for task in TASKS]
_TONES: tuple[Tone, ...] = ("blue", "orange")
_ROUND_S, _DUET_ROUND_S = 0.06, 0.03
_MOST_BYTES = 1 << 16


class MachineSpeedSampler(PeriodicSampler):
    """Readings of :data:`REFERENCE_WORK`: the mean CPU time of each task of :mod:`harness.sampling.reference_work`.

    In a duet there are more rounds and a reading of each, so that every turn has its own.
    """

    def __init__(self, context: SamplingContext) -> None:
        super().__init__(context)
        self._by_round = len(context.targets) > 1
        round_s = _DUET_ROUND_S if self._by_round else _ROUND_S
        command = [sys.executable, "-I", "-S", reference_work.__file__, str(round_s)]
        self._child = start_child(command, subprocess.PIPE, subprocess.DEVNULL)
        assert self._child.stdout is not None
        self._output = self._child.stdout.fileno()
        os.set_blocking(self._output, False)
        self._rest = b""

    def read(self, now_epoch_s: float) -> list[Reading]:
        rounds = self._rounds()
        if self._by_round:
            return [_mean([each], each[0]) for each in rounds]
        return [_mean(rounds, now_epoch_s)] if rounds else []

    def close(self) -> list[Profile]:
        try:
            profiles = super().close()
            with suppress(ChildProcessError):  # a note has said so
                for reading in self.read(now_s()):
                    self._writer.write(reading)
            return profiles
        finally:  # also where the disk is full
            self._child.kill()
            self._child.communicate()

    def _rounds(self) -> list[list[float]]:
        """Those since the last call: when each ended, and the times of its tasks in ns."""
        try:
            found = os.read(self._output, _MOST_BYTES)
        except BlockingIOError:
            return []  # it waits for a core
        if not found:
            raise ChildProcessError(f"exit code {self._child.wait()}")
        *lines, self._rest = (self._rest + found).split(b"\n")
        return [[float(part) for part in line.split()] for line in lines]


def _mean(rounds: Sequence[Sequence[float]], epoch_s: float) -> Reading:
    _, *tasks = zip(*rounds, strict=True)
    means_us = (sum(times) / len(times) / 1000 for times in tasks)
    return Reading(epoch_s, REFERENCE_WORK, dict(zip(_NAMES, means_us, strict=True)))


def _create(context: SamplingContext) -> Sampler:
    """Where the target's process is not known, there is no CPU time that the speed would explain."""
    return Sampler() if context.target.pid is None else MachineSpeedSampler(context)


MACHINE_SPEED = SamplerKind(
    name="machine speed",
    stream="resources",
    during=During.WHOLE_RUN,
    create=_create,
    charts=(
        LineChart(
            "speed",
            "CPU time of reference work",
            tuple(
                Line(REFERENCE_WORK, name, task.__name__, tone)
                for name, task, tone in zip(_NAMES, TASKS, _TONES, strict=True)
            ),
            empty="The machine's speed was not sampled.",
            note="the same work each time: where it takes longer, the machine was slower",
            suffix=" µs",
        ),
    ),
)
