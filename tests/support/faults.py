"""Processes to break, and ways to see that nothing of a fault is left."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from harness.faults import Fault, Place
from harness.record.fault_events import FAULT_EVENTS
from tests.support.children import dying_with_the_tests, killed_at_end, started_with, wait_until

WORKERS = """
import multiprocessing, time

def work():
    while True:
        time.sleep(0.01)

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    for number in range(2):
        context.Process(target=work).start()
    print("on", flush=True)
    time.sleep(600)
"""
"""A program with two worker processes."""


BEGINS = """
import sys, time
from harness.faults import FAULTS, Place
kind, fault, place = sys.argv[1:]
FAULTS[kind].model_validate_json(fault).begin(Place.model_validate_json(place))
print("on", flush=True)
time.sleep(600)
"""


@contextmanager
def running(
    code: str = "print('on', flush=True); import time; time.sleep(600)", *arguments: str
) -> Iterator[psutil.Process]:
    """A Python process that has said that it is on; killed at the end with its children."""
    command = [sys.executable, "-c", code, *arguments]
    with killed_at_end(subprocess.Popen(dying_with_the_tests(command), stdout=subprocess.PIPE)) as process:
        root = psutil.Process(process.pid)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"on\n"
            yield root
        finally:
            for each in root.children(recursive=True) if root.is_running() else []:
                with suppress(psutil.NoSuchProcess):
                    each.kill()


@contextmanager
def begun_elsewhere(fault: Fault, place: Place) -> Iterator[psutil.Process]:
    """Another process that has begun a fault, and does not undo it."""
    with running(BEGINS, fault.kind, fault.model_dump_json(exclude_unset=True), place.model_dump_json()) as process:
        yield process


@contextmanager
def open_files_limited(most: int) -> Iterator[None]:
    """This process and those that it starts may open so many files until they ask for more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def suspend(process: psutil.Process) -> None:
    """Stop a process, and wait until it has stopped: each of its threads needs a core for that."""
    process.suspend()
    wait_until(lambda: is_stopped(process), what="its stop")


def is_stopped(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


def events_in(log: Path) -> list[tuple[str, str]]:
    """What the stream ``faults`` has so far: name and event."""
    return [(event.name, event.event) for event in FAULT_EVENTS.read(log)]


def has_begun_with(log: Path, events: Sequence[tuple[str, str]]) -> bool:
    """Whether these are the first events: others may follow before anyone looks."""
    return events_in(log)[: len(events)] == [*events]


def fault_processes() -> list[psutil.Process]:
    """Those that this process has started to carry out faults."""
    return started_with("harness.faults")
