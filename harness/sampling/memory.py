"""Memory profiles: memray in every Python process of the target, through an agent in each."""

from __future__ import annotations

import glob
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import psutil

from harness.messages import Message, Option, message
from harness.record.profiles import Profile, ProfileKind, Stack, process_frame, read_folded, write_folded
from harness.record.run_folder import RunFolder
from harness.sampling.child import read_from_child
from harness.sampling.perf import why_not_python
from harness.sampling.sampler import (
    During,
    PhaseSampler,
    SamplerKind,
    SamplingContext,
    file_stem,
)
from harness.targets.agent_client import Agent, AgentError, AgentGoneError
from harness.targets.target import Target

_CONVERT_TIMEOUT_S = 120.0
"""For all traces of a phase."""
_LOOK_EVERY_S = 1.0
_MOST_PROCESSES = 16
"""A traced process takes some times its memory on disk, and the time of a core to read."""


@dataclass(frozen=True, slots=True)
class _Trace:
    """One process's; ``path`` is the file that memray writes."""

    pid: int
    path: Path


class MemorySampler(PhaseSampler):
    """Traces phases into ``memory/INDEX-PHASE.bin`` and, of processes that the first one started, ``….PID.bin``.

    Folded files of all of them by kind lie beside them.
    """

    def __init__(self, context: SamplingContext) -> None:
        super().__init__()
        self._target = context.target
        self._folder = context.folder
        self._over = threading.Event()
        self._profiles: list[Profile] = []
        self._folder.memory.mkdir(exist_ok=True)

    def begin_phase(self, index: int, name: str) -> None:
        self._over.clear()
        self.submit(self._trace, index, name)

    def end_phase(self) -> None:
        self._over.set()

    def collect(self) -> list[Profile]:
        return self._profiles

    def _trace(self, index: int, name: str) -> None:
        """Trace each process from when it is first seen until the phase is over, then fold what they wrote."""
        stem = self._folder.memory / file_stem(index, name)
        began_s = time.monotonic()
        traced: dict[Agent, _Trace] = {}
        refused: set[Agent] = set()
        while True:
            for agent in self._new_agents({*traced, *refused}):
                trace = self._start(agent, stem) if len(traced) < _MOST_PROCESSES else None
                if trace is None:
                    refused.add(agent)
                else:
                    traced[agent] = trace
            if self._over.wait(_LOOK_EVERY_S):
                break
        duration_s = round(time.monotonic() - began_s, 3)
        if len(traced) == _MOST_PROCESSES and refused:
            self.note(message("memory-some-traced", traced=len(traced), processes=len(traced) + len(refused)))
        for agent, trace in traced.items():
            self._stop(agent, trace)
        traces = list(traced.values())
        if traces:
            self._fold([*traces, *_of_ended_children(traces)], stem, index, duration_s)
        elif not refused:
            self.note(message("memory-no-agent" if self._target.is_alive() else "memory-target-ended"))

    def _new_agents(self, known: set[Agent]) -> list[Agent]:
        """Those that have worked most first."""
        worked: list[tuple[float, Agent]] = []
        for agent in self._target.agents():
            if agent not in known:
                try:
                    times = psutil.Process(agent.pid).cpu_times()
                except psutil.Error:
                    continue  # it ended in between
                worked.append((times.user + times.system, agent))
        return [agent for _, agent in sorted(worked, key=lambda entry: -entry[0])]

    def _start(self, agent: Agent, stem: Path) -> _Trace | None:
        suffix = ".bin" if agent.pid == self._target.pid else f".{agent.pid}.bin"
        try:
            written = agent.start(stem.with_name(f"{stem.name}{suffix}"))
            return _Trace(agent.pid, stem.with_name(written.name))
        except AgentGoneError:
            return None
        except AgentError as error:
            self.note(message("memory-not-traced", reason=str(error)))
            return None

    def _stop(self, agent: Agent, trace: _Trace) -> None:
        try:
            agent.stop()
        except AgentError as error:  # what was traced so far may be readable
            self.note(message("memory-trace-incomplete", pid=trace.pid, reason=str(error)))

    def _fold(self, traces: list[_Trace], stem: Path, index: int, duration_s: float) -> None:
        deadline_s = time.monotonic() + _CONVERT_TIMEOUT_S
        read = [trace for trace in traces if self._convert(trace, deadline_s - time.monotonic())]
        for kind in get_args(ProfileKind):
            parts = [(trace.pid, path) for trace in read if (path := _folded(trace.path, kind)).is_file()]
            if not parts:
                continue
            folded = _folded(stem, kind)
            write_folded(folded, list(_joined(parts)))
            for _, path in parts:
                if path != folded:
                    path.unlink()
            self._profiles.append(_profile(kind, folded, read[0].path, self._folder, index, duration_s))

    def _convert(self, trace: _Trace, timeout_s: float) -> bool:
        try:
            read_from_child("harness.sampling.memray_to_folded", trace.path, max(1.0, timeout_s))
        except TimeoutError:
            self.note(message("memory-trace-too-large", path=trace.path))
            return False
        except ChildProcessError as error:
            self.note(message("memory-trace-unreadable", pid=trace.pid, reason=str(error)))
            return False
        return True


def _of_ended_children(traces: list[_Trace]) -> list[_Trace]:
    """What memray wrote of children that were forked from a traced process and have ended: ``TRACE.PID``."""
    known = {trace.path for trace in traces}
    return [
        _Trace(int(path.suffix[1:]), path)
        for trace in traces
        for path in sorted(trace.path.parent.glob(f"{glob.escape(trace.path.name)}.*"))
        if path.suffix[1:].isdigit() and path not in known
    ]


def _joined(parts: list[tuple[int, Path]]) -> Iterator[Stack]:
    """The stacks of all processes; of several that hold any, each begins with its process."""
    by_process = {pid: stacks for pid, path in parts if (stacks := read_folded(path))}
    for pid, stacks in by_process.items():
        process = (process_frame(pid),) if len(by_process) > 1 else ()
        yield from (Stack((*process, *stack.frames), stack.weight) for stack in stacks)


def _folded(trace: Path, kind: str) -> Path:
    name = trace.name.removesuffix(".bin")
    return trace.with_name(f"{name}.{kind}.folded")


def memory_profiles(trace: Path, folder: RunFolder, phase: int, duration_s: float) -> list[Profile]:
    """The profiles that were made of ``trace`` and lie beside it."""
    return [
        _profile(kind, path, trace, folder, phase, duration_s)
        for kind in get_args(ProfileKind)
        if (path := _folded(trace, kind)).is_file()
    ]


def _profile(kind: ProfileKind, folded: Path, trace: Path, folder: RunFolder, phase: int, duration_s: float) -> Profile:
    path, raw = (str(file.relative_to(folder.path)) for file in (folded, trace))
    return Profile(kind=kind, phase=phase, path=path, unit="bytes", duration_s=duration_s, raw=raw)


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
