"""What a sampler is: the declaration that the registry lists, and the object that samples one run."""

from __future__ import annotations

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from harness.messages import Message, Option, message
from harness.plan.model.sampling import Sampling
from harness.record.frames import LogWriter
from harness.record.profiles import Profile
from harness.record.resources import LineChart, Reading
from harness.record.run_folder import RunFolder
from harness.steady_clock import now_s
from harness.targets.target import Target

PID_UNKNOWN = message("target-pid-unknown", option=Option("pid"))


@dataclass(frozen=True, slots=True)
class SamplingContext:
    """What a sampler may use in one run."""

    targets: Sequence[tuple[str, Target]]
    """Each with its variant: one, or in a duet several of two."""
    settings: Sampling
    folder: RunFolder
    readings: LogWriter[Reading]
    """Takes the values of samplers that write to the stream ``resources``. Safe to call from any thread."""
    generator_pids: Callable[[], list[int]]
    """The process ids of the load generator. They change: workers come and go."""
    cores: int
    """For target, generator and samplers together."""

    @property
    def target(self) -> Target:
        """The target; the first one in a duet."""
        return self.targets[0][1]


class During(Enum):
    """In which part of a run a sampler runs."""

    WHOLE_RUN = "whole run"
    LOAD = "load"
    """Every phase with load, except ``diagnose``: the sampler must cost the target under 2 % of its throughput."""
    DIAGNOSE = "diagnose"
    """The ``diagnose`` phase, which is never gated: the sampler may cost as much as it likes."""


class Sampler:
    """Samples one run. The methods return at once, except :meth:`close`. What fails is a note, not an exception."""

    def __init__(self) -> None:
        self._notes: dict[Message, None] = {}

    @property
    def notes(self) -> list[Message]:
        """What could not be sampled and what to do about it, each once; complete after :meth:`close`."""
        return list(self._notes)

    def note(self, note: Message) -> None:
        """Add a note."""
        self._notes[note] = None

    def start(self) -> None:
        """Start. Called once, before the first phase begins."""

    def begin_phase(self, index: int, name: str) -> None:
        """The phase with this index in the plan has begun."""

    def end_phase(self) -> None:
        """The phase has ended; nothing happens if none was begun."""

    def close(self) -> list[Profile]:
        """End the open phase and write everything; the profiles that were recorded. Called once."""
        return []


class PhaseSampler(Sampler):
    """Samples single phases. What it submits runs in order, in one thread that lives until everything is written."""

    def __init__(self) -> None:
        super().__init__()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=type(self).__name__)

    def submit(self, job: Callable[..., None], /, *args: object) -> None:
        """Have the thread call ``job``. One that fails costs what it would have sampled."""
        self._worker.submit(self._try, job, *args)

    def _try(self, job: Callable[..., None], *args: object) -> None:
        try:
            job(*args)
        except Exception as error:  # noqa: BLE001  (as above)
            self.note(
                message("sampler-failed", sampler=type(self).__name__, error=type(error).__name__, reason=str(error))
            )

    def close(self) -> list[Profile]:
        self.end_phase()
        profiles = self._worker.submit(self._finish)
        self._worker.shutdown(wait=False)
        return profiles.result()  # the only wait: whoever interrupts it need not do so again

    def _finish(self) -> list[Profile]:
        try:
            return self.collect()
        finally:
            self.clean_up()

    @abstractmethod
    def collect(self) -> list[Profile]:
        """The profiles, when all phases have ended. Called in the thread."""

    def clean_up(self) -> None:
        """End what still runs. Called in the thread, last."""


@dataclass(frozen=True, slots=True)
class SamplerKind:
    """One kind of sampler. To add one, declare it in a file of this package and list it in ``SAMPLERS``."""

    name: str
    stream: str
    """The stream it writes to, by its name in :data:`harness.recording.streams.STREAMS`."""
    during: During
    create: Callable[[SamplingContext], Sampler]
    """Make it; :meth:`Sampler.start` starts it. If either raises, nothing is sampled, and a note says why."""
    enabled: Callable[[Sampling], bool] = lambda _: True
    """Whether the user wants it."""
    unavailable: Callable[[Target], Message | None] = lambda _: None
    """Why this target cannot be sampled; None if it can be."""
    charts: tuple[LineChart, ...] = ()
    """How its readings are drawn over time."""


class PeriodicSampler(Sampler, ABC):
    """Writes readings to the stream ``resources`` once per second, for the whole run."""

    period_s: ClassVar[float] = 1.0

    def __init__(self, context: SamplingContext) -> None:
        super().__init__()
        self._writer = context.readings
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @abstractmethod
    def read(self, now_epoch_s: float) -> list[Reading]:
        """The readings of this moment. The first ones are discarded: rates need a moment before."""

    def close(self) -> list[Profile]:
        self._ended.set()
        self._thread.join()
        return []

    def _run(self) -> None:
        try:
            self.read(now_s())
            due_s = time.monotonic() + self.period_s
            while not self._ended.wait(max(0.0, due_s - time.monotonic())):
                for reading in self.read(now_s()):
                    self._writer.write(reading)
                due_s = max(due_s + self.period_s, time.monotonic())  # a second that was missed is skipped
        except Exception as error:  # noqa: BLE001  (sampling that fails must not end the run)
            self.note(
                message(
                    "sampling-ended-early", sampler=type(self).__name__, error=type(error).__name__, reason=str(error)
                )
            )


def file_stem(index: int, name: str) -> str:
    """``3-steady_load``: the phase's index and its name, as the start of a file's name."""
    return f"{index}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}"
