"""Asks short-lived children what only user code can tell: what a scenario holds, and whether its invariants hold."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from harness.engine.process_setup import DESCRIBE_VARIABLE, TARGET_VARIABLE
from harness.errors import HarnessError, ManyProblemsError, first_problem
from harness.plan.description import DescribeRequest, ScenarioDescription
from harness.plan.locustfiles import find_locustfiles

DESCRIBE_TIMEOUT_S = 60.0
VERIFY_TIMEOUT_S = 60.0
_POLL_MS = 100
_LAST_BYTES = 16_384
"""So much of standard error is looked at where a child ended without an answer."""


def describe_scenario(
    scenario: str | Path,
    *,
    arguments: Sequence[str] = (),
    tags: Sequence[str] = (),
    exclude_tags: Sequence[str] = (),
    interrupted: Callable[[], bool] = lambda: False,
) -> ScenarioDescription:
    """What the scenario holds, all faults of it told at once.

    ``scenario`` is a file, a folder, or files with commas between; ``arguments`` are the locustfile's own. Raises
    :class:`HarnessError` where it is missing or cannot be used, ``KeyboardInterrupt`` as soon as ``interrupted()`` is
    true: for callers that count signals (``harness.control.interrupts``).
    """
    found = find_locustfiles(scenario)
    question = DescribeRequest(
        name=found.name,
        files=tuple(map(str, found.files)),
        arguments=tuple(arguments),
        tags=tuple(tags),
        exclude_tags=tuple(exclude_tags),
    )
    path = found.files[0]
    try:
        answer = _ask(
            "harness.engine.scenario.describe",
            [],
            {DESCRIBE_VARIABLE: question.model_dump_json()},
            path,
            DESCRIBE_TIMEOUT_S,
            interrupted,
        )
    except _InterruptedError:
        raise KeyboardInterrupt from None
    if "faults" in answer:
        by_itself = f"Try it by itself: python {shlex.quote(str(path))}"
        faults = [
            HarnessError(fault["message"], where=fault["where"], hint=fault.get("hint") or by_itself)
            for fault in answer["faults"]
        ]
        raise faults[0] if len(faults) == 1 else ManyProblemsError(faults)
    try:
        return ScenarioDescription.model_validate(answer["description"])
    except ValidationError as error:
        raise HarnessError(first_problem(error), where=str(path)) from error


def verify_target(
    files: Sequence[str | Path], url: str, *, interrupted: Callable[[], bool] = lambda: False
) -> dict[str, Any]:
    """Run the scenario's ``verify``: ``{"status", "message", "duration_s"}``, as ``harness.engine.scenario.verify``
    has it.

    It is ended as soon as ``interrupted()`` is true; the status is ``interrupted`` then.
    """
    begun = time.monotonic()
    try:
        told, names = {TARGET_VARIABLE: url}, [*map(str, files)]
        return _ask("harness.engine.scenario.verify", names, told, Path(files[0]), VERIFY_TIMEOUT_S, interrupted)
    except _InterruptedError:
        status, message = "interrupted", "verify was interrupted"
    except HarnessError as fault:
        status, message = "error", " · ".join([fault.message, *(fault.hint or "").split("\n  ")]).rstrip(" ·")
    return {"status": status, "message": message, "duration_s": time.monotonic() - begun}


class _InterruptedError(Exception):
    """The child was not waited for any longer, because the user wished so."""


def _ask(
    module: str,
    arguments: list[str],
    told: Mapping[str, str],
    scenario: Path,
    timeout_s: float,
    interrupted: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """What the child answers; ``told`` is added to its environment.

    The kernel ends a child with the thread that started it: this one waits for it.

    Raises :class:`_InterruptedError`, and :class:`HarnessError` where no answer comes.

    Files, not pipes: a process that the scenario leaves behind would keep a pipe open, and a reader waiting.
    """
    with tempfile.TemporaryFile() as answered, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            # -P: modules come from where they are installed, never from the folder that harness was called in.
            [sys.executable, "-P", "-m", "harness.quick_start", module, "--parent", str(os.getpid()), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=answered,
            stderr=errors,
            env=os.environ | told,
            start_new_session=True,
        )
        try:
            in_time = _ends(child, timeout_s, interrupted)
        finally:
            # Before the child is reaped, as long as its number is its own; with it goes whatever it has started.
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        answered.seek(0)
        try:
            # A child that answered and then did not end (a thread of the scenario goes on) has answered.
            answer = json.loads(answered.read())
        except ValueError as fault:
            if not in_time:
                raise HarnessError(
                    f"the scenario did not answer within {timeout_s:.0f} s",
                    where=str(scenario),
                    hint="A scenario is imported in every load process: it must not wait for anything on import.",
                ) from fault
            raise HarnessError(
                f"the process that runs the scenario ended with code {child.returncode} and no answer",
                where=str(scenario),
                hint="\n  ".join(_last_lines(errors)) or None,
            ) from fault
    assert isinstance(answer, dict)
    return answer


def _ends(child: subprocess.Popen[bytes], timeout_s: float, interrupted: Callable[[], bool]) -> bool:
    """Wait for the child's end without reaping it; False where it does not come in time."""
    deadline = time.monotonic() + timeout_s
    handle = os.pidfd_open(child.pid)
    try:
        waiter = select.poll()
        waiter.register(handle, select.POLLIN)
        while not waiter.poll(_POLL_MS):
            if interrupted():
                raise _InterruptedError
            if time.monotonic() > deadline:
                return False
        return True
    finally:
        os.close(handle)


def _last_lines(errors: IO[bytes]) -> list[str]:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _LAST_BYTES))
    return errors.read().decode("utf-8", errors="replace").strip().splitlines()[-3:]
