"""Memory profiles: memray, in the target's busiest Python process, turned on for the diagnose phase by an agent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

import psutil

from harness.messages import Message, Option, message
from harness.record.profiles import Profile, ProfileKind
from harness.record.run_folder import RunFolder
from harness.sampling.child import read_from_child
from harness.sampling.python_process import why_not_python
from harness.sampling.sampler import (
    During,
    PhaseSampler,
    SamplerKind,
    SamplingContext,
    file_stem,
)
from harness.targets.agent_client import Agent
from harness.targets.target import Target

_CONVERT_TIMEOUT_S = 120.0


class MemorySampler(PhaseSampler):
    """Traces phases into ``memory/INDEX-PHASE.bin``; folded files by kind lie beside them."""

    def __init__(self, context: SamplingContext) -> None:
        super().__init__()
        self._target = context.target
        self._folder = context.folder
        self._traced: tuple[Agent, int, Path, float] | None = None
        self._profiles: list[Profile] = []
        self._folder.memory.mkdir(exist_ok=True)

    def begin_phase(self, index: int, name: str) -> None:
        self.submit(self._start, index, name)

    def end_phase(self) -> None:
        self.submit(self._stop)

    def collect(self) -> list[Profile]:
        return self._profiles

    def _start(self, index: int, name: str) -> None:
        agent = self._busiest()
        if agent is None:
            return
        raw = self._folder.memory / f"{file_stem(index, name)}.bin"
        try:
            agent.start(raw)
        except Exception as error:  # noqa: BLE001  (any error of the agent; the load goes on)
            self.note(message("memory-not-traced", reason=str(error)))
            return
        self._traced = agent, index, raw, time.monotonic()

    def _busiest(self) -> Agent | None:
        """The process to trace: where a target has several (a reloader, workers), the one that has worked most."""
        if not self._target.is_alive():
            self.note(message("memory-target-ended"))
            return None
        worked: list[tuple[float, Agent]] = []
        for agent in self._target.agents():
            try:
                times = psutil.Process(agent.pid).cpu_times()
            except psutil.Error:
                continue  # it ended in between
            worked.append((times.user + times.system, agent))
        if not worked:
            self.note(message("memory-no-agent"))
            return None
        _, agent = max(worked, key=lambda entry: entry[0])
        if len(worked) > 1 and agent.pid != self._target.pid:
            self.note(message("memory-busiest-traced", count=len(worked), pid=agent.pid))
        return agent

    def _stop(self) -> None:
        if self._traced is None:
            return
        (agent, index, raw, started), self._traced = self._traced, None
        duration_s = round(time.monotonic() - started, 3)
        try:
            agent.stop()
        except Exception as error:  # noqa: BLE001  (as above; what was traced so far can be read)
            self.note(message("memory-trace-incomplete", reason=str(error)))
        self._convert(raw, index, duration_s)

    def _convert(self, raw: Path, index: int, duration_s: float) -> None:
        try:
            read_from_child("harness.sampling.memray_to_folded", raw, _CONVERT_TIMEOUT_S)
        except TimeoutError:
            self.note(message("memory-trace-too-large", path=raw))
            return
        except ChildProcessError as error:
            self.note(message("memory-trace-unreadable", reason=str(error)))
            return
        self._profiles += memory_profiles(raw, self._folder, index, duration_s)


def memory_profiles(trace: Path, folder: RunFolder, phase: int, duration_s: float) -> list[Profile]:
    """The profiles that were made of ``trace`` and lie beside it."""
    raw = trace.relative_to(folder.path)
    return [
        Profile(kind=kind, phase=phase, path=str(path), unit="bytes", duration_s=duration_s, raw=str(raw))
        for kind in get_args(ProfileKind)
        if (folder.path / (path := raw.with_name(f"{raw.stem}.{kind}.folded"))).is_file()
    ]


def _why_unavailable(target: Target) -> Message | None:
    if not target.managed:
        return message("memory-target-attached", option=Option("target"))
    return None if target.pid is None else why_not_python(target.pid)


MEMORY = SamplerKind(
    name="memory",
    stream="profiles",
    during=During.DIAGNOSE,
    enabled=lambda settings: settings.memory is not None,
    unavailable=_why_unavailable,
    create=MemorySampler,
)
