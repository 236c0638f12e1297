"""``process``: kill, pause or restart processes of the target, or others that are allowed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, model_validator

from harness.errors import HarnessError, InvalidValue
from harness.faults.fault import Fault
from harness.faults.place import Place
from harness.messages import Message, Option, message

if TYPE_CHECKING:
    import psutil

_Value = TypeVar("_Value")

TARGET, WORKER, VENDOR = "target", "worker", "vendor"
_PID = "pid:"
_VENDOR_MODULE = "harness.shop.payment"
_HELPER = "multiprocessing.resource_tracker"
"""Python starts it beside worker processes."""

_paused: dict[str, list[psutil.Process]] = {}
"""What this process has stopped, by what that belongs to. Another one that undoes it takes all that may be meant."""


def _known(of: str) -> str:
    number = of.removeprefix(_PID)
    if not of.strip() or (number != of and not (number.isdecimal() and int(number) > 1)):
        raise InvalidValue("fault-process-invalid", value=of)
    return of


class ProcessFault(Fault):
    """``pause`` sends SIGSTOP, and SIGCONT at the end. ``kill`` sends SIGKILL, ``restart`` SIGTERM.

    The target that the harness started is started again: by ``kill`` when the fault ends, by ``restart`` at once. Any
    other process is left to whoever started it.
    """

    kind = "process"
    synonyms: ClassVar[Mapping[str, str]] = {"do": "action", "signal": "action", "process": "of", "pid": "of"}
    strength = ("action",)

    action: Literal["kill", "pause", "restart"]
    of: Annotated[str, AfterValidator(_known)] = TARGET
    """``target`` with all its processes, ``worker`` (the busiest of its other processes), ``vendor`` (the embedded
    shop's payment vendor), ``pid:1234``, or the name of a program."""

    @model_validator(mode="after")
    def _only_targets_start_again(self) -> Self:
        if self.action == "restart" and self.of != TARGET:
            raise InvalidValue("fault-restart-of-other", key="of", of=self.of)
        return self

    @property
    def thing(self) -> str:
        return TARGET if self.of in (WORKER, VENDOR) else self.of

    def acts_on(self, place: Place) -> frozenset[Hashable]:
        return frozenset([self.thing, *self._required(place)])

    def will_act_on(self, place: Place) -> frozenset[Hashable]:
        """The load decides which of several workers is the busiest."""
        is_open = self.of == WORKER and len(self._candidates(place)) > 1
        return frozenset([self.thing]) if is_open else self.acts_on(place)

    @property
    def outside(self) -> tuple[str, ...]:
        return (self.of,) if self.of.startswith(_PID) else ()

    @property
    def pid(self) -> int | None:
        return int(self.of.removeprefix(_PID)) if self.of.startswith(_PID) else None

    @property
    def is_momentary(self) -> bool:
        return self.action == "restart" or (self.action == "kill" and self.of != TARGET)

    @property
    def ends_target(self) -> bool:
        return self.action != "pause" and self.of not in (WORKER, VENDOR)

    @property
    def by_hand(self) -> Message:
        return message("fault-undo-process" if self.action == "pause" else "fault-undo-restart", of=self.of)

    def check(self, place: Place) -> None:
        for target in place.targets if self.of in (TARGET, WORKER, VENDOR) else ():
            if target.managed:
                continue
            if self.action == "restart":
                raise HarnessError("fault-restart-of-attached", url=target.url)
            if target.parent is None:
                raise HarnessError("fault-target-pid-unknown", url=target.url, option=Option("pid"))
            place.require_allowed(f"{_PID}{target.parent}")
        _send(0, self._required(place))  # whether we may

    def begin(self, place: Place) -> None:
        processes = self._required(place)
        if self.action == "pause":
            _paused[self.thing] = processes
            _send(signal.SIGSTOP, processes)
            # Processes that they have started meanwhile must be stopped, too.
            while self.of == TARGET and (more := [each for each in self._candidates(place) if each not in processes]):
                processes += more
                _send(signal.SIGSTOP, more)
            return
        for target in place.targets if self.of == TARGET else ():
            if target.managed:
                target.ask(self.action)
        if self.of != TARGET or not all(target.managed for target in place.targets):
            _send(signal.SIGKILL, processes)

    def end(self, place: Place) -> None:
        if self.action == "pause":
            _send(signal.SIGCONT, _paused.pop(self.thing, []) or self._candidates(place))
        not_started: HarnessError | None = None
        for target in place.targets if self.ends_target and self.of == TARGET else ():
            if target.managed:
                try:
                    target.ask("start")
                except HarnessError as error:  # the other build of a duet is to start all the same
                    not_started = not_started or error
        if not_started is not None:
            raise not_started

    def _required(self, place: Place) -> list[psutil.Process]:
        """The processes to act on; of several workers, the busiest."""
        found = self._candidates(place)
        if not found and self.of in (WORKER, VENDOR):
            raise HarnessError("fault-target-without-process", of=self.of)
        if not found:
            raise HarnessError("fault-process-not-found", of=self.of)
        return [max(found, key=_cpu_s)] if self.of == WORKER else found

    def _candidates(self, place: Place) -> list[psutil.Process]:
        """All processes that it may mean."""
        import psutil

        if self.pid is not None:
            numbered = place.process(self.pid)
            return [] if numbered is None else [numbered]
        ours = [target for target in place.targets if target.managed or f"{_PID}{target.parent}" in place.allowed]
        of_targets = [process for target in ours for process in place.processes_of(target)]
        match self.of:
            case "target":
                return of_targets
            case "vendor":
                return [process for process in of_targets if _runs(process, _VENDOR_MODULE)]
            case "worker":
                below = [each for each in of_targets if _parent(each) in {other.pid for other in of_targets}]
                return [each for each in below if not _runs(each, _VENDOR_MODULE) and not _runs(each, _HELPER)]
        named = [process for process in of_targets if _name(process) == self.of]
        if named:
            return named
        own = {place.harness, *(child.pid for child in _below(place.harness))}
        others = [each for each in psutil.process_iter() if _name(each) == self.of and each.pid not in own]
        if others:
            place.require_allowed(self.of)
        return others


def _send(number: int, processes: Iterable[psutil.Process]) -> None:
    """Signal those that still run: a descriptor never means another process that got the same number meanwhile."""
    for process in processes:
        try:
            handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        try:
            if process.is_running():  # that is, the number still is its own
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            continue
        except PermissionError as error:
            raise HarnessError("fault-process-not-permitted", pid=process.pid) from error
        finally:
            os.close(handle)


def _seen(look: Callable[[], _Value], otherwise: _Value) -> _Value:
    """What ``look`` reads of a process; ``otherwise`` if it has ended or belongs to another user."""
    import psutil

    try:
        return look()
    except psutil.Error:
        return otherwise


def _name(process: psutil.Process) -> str:
    return _seen(process.name, "")


def _parent(process: psutil.Process) -> int:
    return _seen(process.ppid, 0)


def _runs(process: psutil.Process, module: str) -> bool:
    words: list[str] = _seen(process.cmdline, [])
    return any(module in word for word in words)


def _cpu_s(process: psutil.Process) -> float:
    return _seen(lambda: sum(process.cpu_times()[:2]), 0.0)


def _below(pid: int) -> list[psutil.Process]:
    import psutil

    return _seen(lambda: psutil.Process(pid).children(recursive=True), [])
