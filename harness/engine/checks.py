"""Checks of a scenario: counted by name as they pass and fail, as in k6, apart from the requests.

A check is only noted, as three numbers, and numpy counts them once a second: see ``benchmarks/checks.py``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.engine.failure_details import REDACTED_BYTES, encodable
from harness.engine.phase_track import PhaseTrack
from harness.record.check_reasons import kind_of_reason
from harness.record.redaction import redacted

MOST_CHECKS = 200
"""Names that one worker counts; checks of further names are counted together."""
OTHER_CHECKS = "(other checks)"
SAMPLES_PER_CHECK = 3
_LONGEST_NAME = 200
_LONGEST_SAMPLE = 300
_FOLD_AT = 3 * 4096
"""Numbers to count at a time, three a check."""
_NAMES, _PHASES = 1 << 12, 1 << 16

Noted = tuple[list[float], int]
"""Where a check was noted, for :meth:`CheckRecorder.turn`."""


@dataclass(frozen=True, slots=True)
class Check:
    """A named condition; true if it holds. ``detail`` says why it does not."""

    name: str
    ok: Any
    detail: str = ""

    def __bool__(self) -> bool:
        return bool(self.ok)


class CheckRecorder:
    """Counts the checks of a worker; :meth:`take` returns the counts since the last call."""

    def __init__(self, track: PhaseTrack, now_s: Callable[[], float]) -> None:
        """``now_s`` gives the seconds since the run began."""
        self._track = track
        self._now_s = now_s
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        """As they are shown, by number."""
        self._fold_at = math.inf
        """How many numbers are counted at a time; none before the first :meth:`take`: the run may not have begun."""
        self._noted: list[float] = []
        """Of each check: twice the number of its name (plus 1 if it failed), when what it looks at began, and when it
        was made (``perf_counter``)."""
        self._counts: dict[tuple[str, int, int], list[int]] = {}
        self._sampled: dict[int, set[str]] = {}
        """The kinds of reasons of which each check has a sample."""
        self._samples: list[list[Any]] = []

    def note(self, name: str, ok: bool, began_s: float, made_s: float, detail: str = "") -> Noted:
        """One check, made at ``made_s`` (``perf_counter``). It counts in the phase in which ``began_s`` lies."""
        number = self._numbers.get(name)
        if number is None:
            number = self._number(name)
        noted = self._noted
        place = (noted, len(noted))
        noted += (2 * number + (not ok), began_s, made_s)
        if not ok:
            self._sample(number, detail, made_s)
        if len(noted) >= self._fold_at:
            self._fold()
        return place

    def turn(self, place: Noted, name: str, began_s: float, made_s: float, detail: str = "") -> None:
        """A check that was noted as passed has failed after all."""
        noted, at = place
        if noted is self._noted:
            noted[at] += 1
            self._sample(int(noted[at]) // 2, detail, made_s)
        else:  # it has been reported already
            self.note(name, False, began_s, made_s, detail)

    def _number(self, name: str) -> int:
        full = len(self._names) >= MOST_CHECKS
        shown = OTHER_CHECKS if full else redacted(encodable(name)[:REDACTED_BYTES])[:_LONGEST_NAME]
        if shown in self._names:
            number = self._names.index(shown)
        else:
            number = len(self._names)
            self._names.append(shown)
        if len(self._numbers) < 2 * MOST_CHECKS:  # a name with an id in it must not fill the memory
            self._numbers[name] = number
        return number

    def _sample(self, number: int, detail: str, at_s: float) -> None:
        sampled = self._sampled.setdefault(number, set())
        if len(sampled) < SAMPLES_PER_CHECK and (kind := kind_of_reason(detail)) not in sampled:
            sampled.add(kind)
            text = redacted(encodable(detail)[:REDACTED_BYTES])[:_LONGEST_SAMPLE]
            self._samples.append([self._names[number], max(0.0, at_s - self._start_s()), text])

    def _start_s(self) -> float:
        """When the run began (``perf_counter``)."""
        return time.perf_counter() - self._now_s()

    def _fold(self) -> None:
        noted, self._noted = self._noted, []
        if not noted:
            return
        codes, began_s, made_s = np.array(noted, dtype=np.float64).reshape(-1, 3).T
        start_s = self._start_s()
        phases, _, _ = self._track.at(began_s - start_s)
        seconds = np.maximum(made_s - start_s, 0).astype(np.int64)
        keys, counts = np.unique((seconds * _PHASES + phases) * _NAMES + codes.astype(np.int64), return_counts=True)
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            place, code = divmod(key, _NAMES)
            second, phase = divmod(place, _PHASES)
            of_check = self._counts.setdefault((self._names[code // 2], phase, second), [0, 0])
            of_check[code % 2] += count

    def take(self) -> tuple[list[list[Any]], list[list[Any]]]:
        """Return and forget counts ``[name, phase, second, passed, failed]`` and samples ``[name, at_s, text]``."""
        self._fold_at = _FOLD_AT
        self._fold()
        counts, self._counts = self._counts, {}
        samples, self._samples = self._samples, []
        return [[*key, *of_check] for key, of_check in counts.items()], samples


_recorder: CheckRecorder | None = None
"""Of this process, if it is a load worker."""


def use_recorder(recorder: CheckRecorder) -> None:
    """Count this process's checks there."""
    global _recorder
    _recorder = recorder


def recorder() -> CheckRecorder | None:
    """What counts this process's checks; None outside load workers."""
    return _recorder


def check(name: str, ok: Any, detail: str = "") -> Check:
    """A named check. In a task it is counted; ``verify`` returns or yields it.

    A gate reads the share that passed: ``check("total is right") >= 99.9%``. The result is true if ``ok`` is. In
    ``verify``, ``ok`` may be a number, which gates read by its name: ``lost_writes = 0``. ``detail`` says what was
    observed: it is shown if a check of a task failed, and for every check of ``verify``.
    """
    made = Check(name, ok, detail)
    if _recorder is not None:
        now_s = time.perf_counter()
        _recorder.note(name, bool(made), now_s, now_s, detail)
    return made
