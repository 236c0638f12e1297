"""Begins and ends faults at their times, each in a thread, and records both."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from harness import steady_clock
from harness.errors import HarnessError
from harness.faults.claims import Claims
from harness.faults.orders import Setup
from harness.faults.place import Place
from harness.messages import Message, message
from harness.record.fault_events import FAULT_EVENTS, FaultEvent, fault_spans
from harness.record.redaction import add_secret_names, redacted


class CarryingOut:
    """Follows orders (:mod:`harness.faults.orders`) and writes responses to the descriptor ``out``.

    ``kept`` is a file in memory with the latest place, for a process that takes over.
    """

    def __init__(self, setup: Setup, out: int, kept: int) -> None:
        add_secret_names(setup.secret_names)
        self._given = setup.faults
        self._faults = [given.made() for given in setup.faults]
        self._out = out
        self._kept = kept
        data = os.pread(kept, os.fstat(kept).st_size, 0)
        self._place = Place.model_validate_json(data) if data else setup.place
        self._path = Path(setup.log)
        self._log = FAULT_EVENTS.writer(self._path, resume=True)
        self._over = [threading.Event() for _ in self._faults]
        self._threads: dict[int, threading.Thread] = {}
        self._open: set[int] = set()
        self._until_s: dict[int, float | None] = {}
        self._claims = Claims(self._faults, [given.name for given in setup.faults])
        self._all_ended = False
        self._saying = threading.Lock()

    def undo_left_open(self) -> None:
        """Undo what a process before this one has begun and not ended."""
        numbers = {given.name: number for number, given in enumerate(self._given)}
        for span in fault_spans(FAULT_EVENTS.read(self._path)):
            if span.ended_s is None:
                self._open.add(numbers[span.name])
        self._undo_open()

    def follow(self, orders: Iterable[bytes]) -> None:
        """Carry out orders until there are no more, then undo everything."""
        self._say({"ready": True})
        try:
            for line in orders:
                self._obey(json.loads(line))
        finally:
            self._end_all()

    def _end_all(self) -> None:
        if self._all_ended:  # the harness has reported what is left to undo
            return
        for over in self._over:
            over.set()
        for thread in self._threads.values():
            thread.join()
        self._undo_open()  # once more what could not be undone when it was due
        self._all_ended = True

    def _obey(self, order: dict[str, Any]) -> None:
        if "place" in order:
            self._place = Place.model_validate(order["place"])
            os.ftruncate(self._kept, 0)
            os.pwrite(self._kept, self._place.model_dump_json().encode(), 0)
        elif "end" in order:
            self._over[order["end"]].set()
        elif "end_all" in order:
            self._end_all()
            self._say({"over": True})
        elif order["begin"] not in self._threads:
            number = order["begin"]
            self._until_s[number] = order["until"]
            self._threads[number] = threading.Thread(target=self._carry_out, args=(number, order["at"]))
            self._threads[number].start()

    def _carry_out(self, number: int, at_s: float) -> None:
        over = self._over[number]
        if over.wait(max(0.0, at_s - steady_clock.now_s())):
            return
        try:
            with self._claims.held(number, lambda: self._place, lambda other: self._is_over(other, at_s)):
                if not over.is_set() and not self._is_past(number):
                    self._act(number)
        except Exception as error:  # noqa: BLE001  (whatever it is, it must be recorded)
            with suppress(OSError):  # a full disk ends the run
                self._note(number, "began")
                self._note(number, "failed", self._not_begun(number, error))
                self._note(number, "ended")

    def _is_past(self, number: int) -> bool:
        """Whether a fault would be undone as soon as it has begun, as the harness ordered it too late."""
        until_s = self._until_s[number]
        return until_s is not None and until_s <= steady_clock.now_s() and not self._faults[number].is_momentary

    def _is_over(self, number: int, at_s: float) -> bool:
        """Whether a fault that acts is due to be undone by ``at_s``."""
        until_s = self._until_s[number]
        is_late = until_s is not None and until_s <= at_s
        return is_late or self._over[number].is_set() or self._faults[number].is_momentary

    def _not_begun(self, number: int, error: Exception) -> Message:
        return message("fault-not-begun", name=self._given[number].name, why=_why(error))

    def _act(self, number: int) -> None:
        over, fault, until_s = self._over[number], self._faults[number], self._until_s[number]
        self._open.add(number)
        try:
            self._note(number, "began")  # first, because nothing else could undo it after a crash
            fault.begin(self._place)
        except Exception as error:  # noqa: BLE001  (whatever it is, what was begun must be undone)
            self._note(number, "failed", self._not_begun(number, error))
        else:
            if not fault.is_momentary:
                over.wait(None if until_s is None else max(0.0, until_s - steady_clock.now_s()))
                self._require_active(number)
        self._undo(number)

    def _require_active(self, number: int) -> None:
        try:
            self._faults[number].require_active(self._place)
        except Exception as error:  # noqa: BLE001  (as above)
            name = self._given[number].name
            self._note(number, "failed", message("fault-ended-early", name=name, why=_why(error)))

    def _undo_open(self) -> None:
        for number in sorted(self._open):
            self._undo(number)

    def _undo(self, number: int) -> None:
        fault = self._faults[number]
        try:
            fault.end(self._place)
        except Exception as error:  # noqa: BLE001  (as above: the others are still to be undone)
            name, why = self._given[number].name, _why(error)
            self._note(number, "failed", message("fault-not-undone", name=name, why=why, remedy=fault.by_hand))
        else:
            self._open.discard(number)
            self._note(number, "ended")

    def _note(self, number: int, event: Any, error: Message | None = None) -> None:
        given, now_s = self._given[number], steady_clock.now_s()
        data = None if error is None else error.to_data()
        # A full disk must not keep anything from being undone.
        with nullcontext() if event == "began" else suppress(OSError):
            self._log.write(FaultEvent(now_s, event, given.name, given.kind, given.phase, data))
        self._say({"fault": number, "event": event, "epoch_s": now_s, "error": data})

    def _say(self, line: dict[str, Any]) -> None:
        with self._saying, suppress(OSError):  # the harness has ended
            os.write(self._out, json.dumps(line).encode() + b"\n")


def _why(error: Exception) -> Message:
    if isinstance(error, HarnessError):
        return error.reason()
    return message("fault-raised", error=type(error).__name__, reason=redacted(str(error)))
