"""Orders the plan's faults to begin and end in their phases, and to be undone however the run ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, Self

from harness.errors import ExitCode, HarnessError
from harness.messages import Message, message
from harness.plan.model.run import RunPlan
from harness.record.journal import Journal
from harness.record.run_folder import RunFolder
from harness.targets.target import Target

if TYPE_CHECKING:
    from harness.control.fault_process import FaultProcess
    from harness.faults import Fault
    from harness.proxies.control import ProxyPlace

_START_TIMEOUT_S = 20.0
_LEAST_UNDO_S = 120.0
_SPARE_S = 30.0
_POLL_S = 0.1
_LOOK_EVERY_S = 1.0
_STARTS = 5


class Faults:
    """A context manager around targets and load. Without faults in the plan, it does nothing."""

    def __init__(self, plan: RunPlan, folder: RunFolder, notify: Callable[[Message], None]) -> None:
        self._planned = plan.faults
        self._phases = plan.phases
        self._faults: list[Fault] = []
        self._log = folder.log
        self._notify = notify
        self._targets: Sequence[Target] = ()
        self._process: FaultProcess | None = None
        self._starts = 1
        self._looked_s = 0.0
        self._ordered: set[int] = set()
        self._ordered_to_end: set[int] = set()
        self._begun: dict[int, None] = {}
        self._open: set[int] = set()
        self._not_undone: dict[int, Message] = {}
        """With what is left to do, which is in the summary if the last attempt fails, too."""
        self._ending = False
        self._over = False
        self._abandoned = False
        """Whether the harness no longer waits until all are undone; the process continues with that on its own."""
        if plan.faults:
            from harness.faults import Place  # only here: few runs have faults
            from harness.faults.orders import GivenFault, Setup

            given = tuple(
                GivenFault(name=fault.name, kind=fault.kind, phase=fault.phase, settings=fault.settings)
                for fault in plan.faults
            )
            self._faults = [fault.made() for fault in given]
            place = Place(allowed=plan.allowed_faults, harness=os.getpid())
            log, secret_names = str(folder.faults.resolve()), plan.secret_names
            self._setup = Setup(faults=given, place=place, log=log, secret_names=secret_names)

    def __enter__(self) -> Self:
        if not self._planned:
            return self
        self._process = self._start()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline and not self._process.has_ended:
            if self._process.read(_POLL_S):
                return self
        self._process.discard()
        raise HarnessError("fault-process-not-started", exit_code=ExitCode.BROKEN, log=self._log)

    def _start(self) -> FaultProcess:
        from harness.control.fault_process import FaultProcess

        return FaultProcess(self._setup, self._log)

    def reach(self, targets: Sequence[Target], proxies: Mapping[str, tuple[ProxyPlace, ...]] | None = None) -> None:
        """From now on faults may touch these. Raises :class:`HarnessError` if one of the plan cannot."""
        self._targets = targets
        if not self._planned:
            return
        reached = {"targets": tuple(target.place for target in targets), "proxies": dict(proxies or {})}
        numbers = [fault.pid for fault in self._faults] + [target.place.parent for target in targets]
        place = self._setup.place.model_copy(update=reached).knowing(pid for pid in numbers if pid is not None)
        self._setup = self._setup.model_copy(update={"place": place})
        for planned, fault in zip(self._planned, self._faults, strict=True):
            try:
                fault.check(self._setup.place)
            except HarnessError as error:
                problem: dict[str, Any] = dict(error.params)
                raise HarnessError(error.code, where=planned.where, **problem) from error
        self._require_apart()
        self._send_place()

    def _require_apart(self) -> None:
        """Raises :class:`HarnessError` if two faults that overlap act on one process, however they name it."""
        from harness.plan.faults import TimedFault

        will_act_on = cache(lambda number: self._faults[number].will_act_on(self._setup.place))
        timed = [TimedFault(*each) for each in zip(self._planned, self._faults, strict=True)]
        for (number, first), (other, second) in combinations(enumerate(timed), 2):
            if first.planned.phase != second.planned.phase or first.fault.thing == second.fault.thing:
                continue  # the same thing is known by its name
            if first.overlaps(second) and will_act_on(number) & will_act_on(other):
                where, name, thing = second.planned.where, second.planned.name, second.fault.thing
                raise HarnessError("faults-overlap", where=where, name=name, thing=thing, other=first.planned.where)

    def follow(self, journal: Journal) -> None:
        """Order what is due in the phases that have begun."""
        self._receive()
        if self._process is None or self._ending:
            return
        for span in journal.phases:
            phase = self._phases[span.phase]
            began_s = journal.epoch_s + span.start_s
            for number in [at for at, fault in enumerate(self._planned) if fault.phase == phase.name]:
                fault = self._planned[number]
                if span.end_s is not None and number in self._ordered - self._ordered_to_end:
                    self._ordered_to_end.add(number)
                    self._process.send(end=number)
                elif span.end_s is None and number not in self._ordered:
                    self._ordered.add(number)
                    # With its end, so that a stalled harness does not prolong it.
                    end_s = fault.at_s + fault.for_s if fault.for_s else phase.duration_s
                    until_s = began_s + end_s if end_s else None
                    self._process.send(begin=number, at=began_s + fault.at_s, until=until_s)

    def end(self) -> None:
        """End all active faults, and begin no more. Returns at once."""
        if self._process is not None and not self._ending:
            self._ending = True
            self._wake(self._process)
            self._process.wake()  # in any case: what has lost its guard is not seen
            self._process.send(end_all=True)

    def wait(self, impatient: Callable[[], bool]) -> None:
        """After :meth:`end`: until all are undone, or could not be, or the user is ``impatient``.

        Targets that a fault has started again are then ready for whoever checks what the load has left behind.
        """
        deadline = time.monotonic() + self._undo_timeout_s
        while self._process is not None and not (self._over or self._abandoned):
            self._receive(_POLL_S)
            self._abandoned = impatient() or time.monotonic() > deadline
            if self._abandoned or self._process.has_ended:
                names = [self._planned[number].name for number in sorted({*self._open, *self._not_undone})]
                self._notify(message("faults-still-undone", names=names))
                return
        if self.last_that_ends_target is not None:
            for target in self._targets:
                target.wait_until_ready(impatient)

    @property
    def _undo_timeout_s(self) -> float:
        """How long to wait until all are undone: each is begun and ended, and all again where that has failed."""
        longest_s = [fault.longest_s for fault in self._faults]
        return max(_LEAST_UNDO_S, 2 * max(longest_s, default=0.0) + sum(longest_s) + _SPARE_S)

    @property
    def explains_absence(self) -> bool:
        """Whether a target that does not run has been ended by a fault that is open."""
        self._receive()
        return any(self._faults[number].ends_target for number in self._open)

    @property
    def last_that_ends_target(self) -> str | None:
        """The name of the last fault that began and may have ended the target."""
        return next((self._planned[at].name for at in reversed(self._begun) if self._faults[at].ends_target), None)

    def __exit__(self, raised: type[BaseException] | None = None, *_: object) -> None:
        if self._process is None:
            return
        self._ending = True
        self._process.close_orders()
        deadline = time.monotonic() + (0.0 if self._abandoned else self._undo_timeout_s)
        while not self._process.has_ended and time.monotonic() < deadline:
            self._wake(self._process)
            self._hear(self._process.read(_POLL_S))
        self._process.discard()
        self._process = None
        for left in self._not_undone.values() if raised is not None else ():  # there is no summary
            self._notify(left)

    def _receive(self, timeout_s: float = 0.0) -> None:
        if self._process is None:
            return
        self._wake(self._process)
        self._hear(self._process.read(timeout_s))
        if self._process.has_ended and self._starts < _STARTS:
            self._starts += 1
            self._process.discard()
            self._setup = self._setup.model_copy(update={"undo": True})
            self._process = self._start()

    def _wake(self, process: FaultProcess) -> None:
        """Make the process continue if it is stopped, because otherwise nothing would be undone in time."""
        if time.monotonic() - self._looked_s > _LOOK_EVERY_S:
            self._looked_s = time.monotonic()
            if process.is_stopped:
                process.wake()
                self._notify(message("fault-process-stopped", seconds=_LOOK_EVERY_S))

    def _hear(self, lines: Sequence[dict[str, Any]]) -> None:
        for line in lines:
            if "ready" in line:
                self._start_anew()
            elif "over" in line:
                self._over = True
            elif "fault" in line:
                self._note(line["fault"], line["event"], line["error"])

    def _start_anew(self) -> None:
        """The process was killed. What it has begun is undone by now; what it has not begun is ordered again."""
        self._notify(message("fault-process-killed"))
        self._ordered.intersection_update(self._begun)
        self._send_place()
        if self._ending and self._process is not None:
            self._process.send(end_all=True)

    def _send_place(self) -> None:
        if self._process is not None:
            self._process.send(place=self._setup.place.model_dump(mode="json"))

    def _note(self, number: int, event: str, error: Any) -> None:
        name = self._planned[number].name
        if event == "began":
            self._begun[number] = None
            self._open.add(number)
            self._notify(message("fault-began", name=name))
            return
        self._open.discard(number)
        said = message("fault-ended", name=name) if error is None else Message.from_data(error)
        if said.code == "fault-not-undone":
            if number not in self._not_undone:
                self._notify(message("fault-undo-failed", name=name, why=said.params["why"]))
            self._not_undone[number] = said
            return
        self._not_undone.pop(number, None)
        self._notify(said)
