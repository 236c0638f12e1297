"""Runs user code in short-lived children, and describes a scenario in one."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from harness.engine.fork_server import DESCRIBE, ForkedProcess, ForkServer
from harness.errors import ExitCode, HarnessError, ManyProblemsError, first_problem
from harness.plan.description import DescribeRequest, ScenarioDescription
from harness.plan.locustfiles import find_locustfiles
from harness.plan.utf8 import require_utf8

DESCRIBE_TIMEOUT_S = 60.0
_POLL_S = 0.1
_ENDS_S = 2.0
"""How long a child may take to end that has returned its result."""
_LAST_BYTES = 16_384
"""How much is read of what a child has printed."""


def describe_scenario(
    scenario: str | Path,
    *,
    arguments: Sequence[str] = (),
    tags: Sequence[str] = (),
    exclude_tags: Sequence[str] = (),
    interrupted: Callable[[], bool] = lambda: False,
    fork_server: ForkServer | None = None,
) -> ScenarioDescription:
    """What the scenario contains.

    ``scenario`` is a file, a folder, or files separated by commas; ``arguments`` are the locustfile's own. Raises
    :class:`HarnessError` with all problems if it is missing or cannot be used, ``KeyboardInterrupt`` as soon as
    ``interrupted()`` is true: for callers that count signals (``harness.control.interrupts``). Without a
    ``fork_server`` it starts one of its own.
    """
    found = find_locustfiles(scenario)
    request = DescribeRequest(
        name=found.name,
        files=tuple(map(str, found.files)),
        arguments=tuple(arguments),
        tags=tuple(tags),
        exclude_tags=tuple(exclude_tags),
    )
    path = found.files[0]
    text = require_utf8(request).model_dump_json()
    result = run_child(fork_server, DESCRIBE, path, DESCRIBE_TIMEOUT_S, interrupted, request=text)
    if "problems" in result:
        problems = [HarnessError.from_data(problem) for problem in result["problems"]]
        raise problems[0] if len(problems) == 1 else ManyProblemsError(problems)
    try:
        return ScenarioDescription.model_validate(result["description"])
    except ValidationError as error:
        problem = first_problem(error)
        raise HarnessError("scenario-not-describable", where=str(path), problem=problem) from error


def run_child(
    fork_server: ForkServer | None,
    module: str,
    scenario: Path,
    timeout_s: float,
    interrupted: Callable[[], bool],
    on_printed: Callable[[str], None] = lambda _: None,
    *,
    keeps: bool = False,
    **options: object,
) -> dict[str, Any]:
    """The result of ``module``, run in a child with these options.

    What the child has started ends with it, unless the ``fork_server`` ``keeps`` it until it is closed. ``on_printed``
    is called with the last that its code printed. Raises ``KeyboardInterrupt`` as soon as ``interrupted()`` is true,
    and :class:`HarnessError` if there is no result.
    """
    # Files, not pipes: a process that the scenario leaves behind would keep a pipe open, and a reader waiting.
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
        nullcontext(fork_server) if fork_server else ForkServer() as server,
    ):
        child = server.start(module, stdout=output.fileno(), stderr=errors.fileno(), **options)
        child.stdin.close()
        # One that waits for a process that is kept (multiprocessing does, at its end) has done its work.
        done = (lambda: _is_complete(output)) if keeps else (lambda: False)
        in_time = False
        try:
            in_time = _ends(child, timeout_s, interrupted, done)
        finally:
            if keeps:
                child.ends_within(_ENDS_S if in_time else 0.0)
                child.kill()
            else:
                server.end_strays()  # and the child itself
            child.wait()
            on_printed(_end_of(errors))
        output.seek(0)
        try:
            # A child that wrote its result and then did not end (a thread of the scenario goes on) has succeeded.
            result = json.loads(output.read())
        except ValueError as error:
            if not in_time:
                raise HarnessError("scenario-timeout", where=str(scenario), timeout_s=timeout_s) from error
            _require_space(output, scenario)
            raise HarnessError(
                "scenario-process-ended",
                where=str(scenario),
                code_of_process=child.returncode,
                last_lines=" · ".join(_end_of(errors).splitlines()[-3:]) or "nothing",
            ) from error
    assert isinstance(result, dict)
    return result


def _is_complete(output: IO[bytes]) -> bool:
    output.seek(0)
    try:
        json.loads(output.read())
    except ValueError:
        return False
    return True


def _ends(child: ForkedProcess, timeout_s: float, interrupted: Callable[[], bool], done: Callable[[], bool]) -> bool:
    """Wait for the child's end without reaping it, or until it is ``done``; False if that does not come in time."""
    deadline = time.monotonic() + timeout_s
    while not child.ends_within(_POLL_S) and not done():
        if interrupted():
            raise KeyboardInterrupt
        if time.monotonic() > deadline:
            return False
    return True


def _require_space(output: IO[bytes], scenario: Path) -> None:
    """Raise if temporary files cannot grow: then the child ended because it could not write its result."""
    try:
        os.posix_fallocate(output.fileno(), output.tell(), _LAST_BYTES)
    except OSError as error:
        raise HarnessError(
            "no-space-for-temporary-files",
            where=str(scenario),
            exit_code=ExitCode.BROKEN,
            folder=tempfile.gettempdir(),
            error=error.strerror,
        ) from error


def _end_of(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _LAST_BYTES))
    return errors.read().decode("utf-8", errors="replace").strip()
