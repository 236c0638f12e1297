"""Two faults that mean one process: the second waits for what is being undone, and is refused while the first acts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.faults.carrying_out import CarryingOut
from harness.faults.orders import GivenFault, Setup
from harness.faults.place import Place, TargetPlace
from harness.record.fault_events import FAULT_EVENTS
from tests.support.children import wait_until
from tests.support.faults import WORKERS, events_in, has_begun_with, is_stopped, running

FIRST, SECOND = 0, 1


class Carried:
    """Orders for two faults, and what comes of them: the first pauses a process by number, the second the target."""

    def __init__(self, folder: Path, root: psutil.Process, first: psutil.Process) -> None:
        self.log = folder / "faults"
        given = [
            GivenFault(name=name, kind="process", phase="steady", settings={"action": "pause", "of": of})
            for name, of in (("first", f"pid:{first.pid}"), ("second", "target"))
        ]
        allowed = (f"pid:{root.pid}", f"pid:{first.pid}")
        place = Place(targets=(TargetPlace(url="", parent=root.pid),), allowed=allowed)
        setup = Setup(faults=tuple(given), place=place, log=str(self.log))
        self.carrying_out = CarryingOut(setup, os.open(os.devnull, os.O_WRONLY), os.memfd_create("place"))

    def follow(self, orders: Iterator[bytes]) -> list[tuple[str, str]]:
        self.carrying_out.follow(orders)
        return events_in(self.log)

    def until(self, *events: tuple[str, str]) -> None:
        wait_until(lambda: has_begun_with(self.log, events), what=str(events))


def begin(number: int, at_s: float, until_s: float | None = None) -> bytes:
    return json.dumps({"begin": number, "at": at_s, "until": until_s}).encode()


@pytest.fixture
def root() -> Iterator[psutil.Process]:
    with running(WORKERS) as root:
        yield root


def test_a_fault_on_a_process_of_another_fault_at_work_is_refused_and_touches_nothing(
    tmp_path: Path, root: psutil.Process
) -> None:
    worker, other = root.children()
    carried = Carried(tmp_path, root, worker)
    refused = [("first", "began"), ("second", "began"), ("second", "failed"), ("second", "ended")]

    def orders() -> Iterator[bytes]:
        yield begin(FIRST, time.time())
        wait_until(lambda: is_stopped(worker))
        yield begin(SECOND, time.time())
        carried.until(*refused)
        assert [is_stopped(process) for process in (worker, other, root)] == [True, False, False]

    assert carried.follow(orders()) == [*refused, ("first", "ended")]
    (error,) = [event.error for event in FAULT_EVENTS.read(carried.log) if event.error]
    assert (error["code"], error["params"]["why"]["code"]) == ("fault-not-begun", "fault-on-same-process")
    wait_until(lambda: not is_stopped(worker))


@pytest.mark.parametrize("ends", ["by its time", "by an order"])
def test_a_fault_waits_until_one_that_is_over_has_let_its_process_go(
    ends: str, tmp_path: Path, root: psutil.Process
) -> None:
    carried = Carried(tmp_path, root, root.children()[0])

    def orders() -> Iterator[bytes]:
        at_s = time.time() + 1
        yield begin(FIRST, time.time(), at_s if ends == "by its time" else None)
        carried.until(("first", "began"))
        if ends == "by an order":
            yield json.dumps({"end": FIRST}).encode()
        yield begin(SECOND, at_s)
        carried.until(("first", "began"), ("first", "ended"), ("second", "began"))
        wait_until(lambda: all(map(is_stopped, [root, *root.children()])))

    assert carried.follow(orders())[-1] == ("second", "ended")
    wait_until(lambda: not any(map(is_stopped, [root, *root.children()])))
