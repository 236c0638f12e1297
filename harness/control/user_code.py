"""Runs user code in short-lived children: to describe a scenario, and to check its invariants."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from pydantic import ValidationError

from harness.engine.fork_server import DESCRIBE, VERIFY, ForkedProcess, ForkServer
from harness.errors import HarnessError, ManyProblemsError, first_problem
from harness.messages import Message, message
from harness.plan.description import DescribeRequest, ScenarioDescription
from harness.plan.locustfiles import find_locustfiles
from harness.plan.utf8 import require_utf8
from harness.record.redaction import redacted

DESCRIBE_TIMEOUT_S = 60.0
VERIFY_TIMEOUT_S = 60.0
_POLL_S = 0.1
_LAST_BYTES = 16_384
"""How much of standard error is searched for the last lines of a child that returned no result."""


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
    result = _run_child(fork_server, DESCRIBE, path, DESCRIBE_TIMEOUT_S, interrupted, request=text)
    if "problems" in result:
        problems = [HarnessError.from_data(problem) for problem in result["problems"]]
        raise problems[0] if len(problems) == 1 else ManyProblemsError(problems)
    try:
        return ScenarioDescription.model_validate(result["description"])
    except ValidationError as error:
        problem = first_problem(error)
        raise HarnessError("scenario-not-describable", where=str(path), problem=problem) from error


class Verification(NamedTuple):
    """The result of a scenario's ``verify``. ``reason`` is why it did not pass."""

    status: Literal["pass", "fail", "error", "interrupted"]
    reason: Message | None
    duration_s: float

    def to_data(self) -> dict[str, Any]:
        """As ``verify.json`` keeps it, without secrets."""
        reason = self.reason and self.reason.map_texts(redacted)
        data = {"status": self.status, "message": str(reason or ""), "duration_s": self.duration_s}
        return data | ({"code": reason.code, "params": reason.to_data()["params"]} if reason else {})


def verify_target(
    files: Sequence[str | Path],
    url: str,
    *,
    interrupted: Callable[[], bool] = lambda: False,
    fork_server: ForkServer | None = None,
) -> Verification:
    """Run the scenario's ``verify``. It is ended as soon as ``interrupted()`` is true."""
    begun = time.monotonic()
    try:
        result = _run_child(
            fork_server, VERIFY, Path(files[0]), VERIFY_TIMEOUT_S, interrupted, files=[*map(str, files)], url=url
        )
    except KeyboardInterrupt:
        reason = message("verify-interrupted")
        return Verification("interrupted", reason, time.monotonic() - begun)
    except HarnessError as error:
        return Verification("error", error.reason(), time.monotonic() - begun)
    reason_data = result["reason"]
    return Verification(result["status"], reason_data and Message.from_data(reason_data), result["duration_s"])


def _run_child(
    fork_server: ForkServer | None,
    module: str,
    scenario: Path,
    timeout_s: float,
    interrupted: Callable[[], bool],
    **options: object,
) -> dict[str, Any]:
    """The result of ``module``, run in a child with these options.

    Raises ``KeyboardInterrupt`` as soon as ``interrupted()`` is true, and :class:`HarnessError` if there is no result.
    """
    # Files, not pipes: a process that the scenario leaves behind would keep a pipe open, and a reader waiting.
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
        nullcontext(fork_server) if fork_server else ForkServer() as server,
    ):
        child = server.start(module, stdout=output.fileno(), stderr=errors.fileno(), **options)
        child.stdin.close()
        try:
            in_time = _ends(child, timeout_s, interrupted)
        finally:
            server.end_strays()  # and the child itself
            child.wait()
        output.seek(0)
        try:
            # A child that wrote its result and then did not end (a thread of the scenario goes on) has succeeded.
            result = json.loads(output.read())
        except ValueError as error:
            if not in_time:
                raise HarnessError("scenario-timeout", where=str(scenario), timeout_s=timeout_s) from error
            raise HarnessError(
                "scenario-process-ended",
                where=str(scenario),
                code_of_process=child.returncode,
                last_lines=" · ".join(_last_lines(errors)) or "nothing",
            ) from error
    assert isinstance(result, dict)
    return result


def _ends(child: ForkedProcess, timeout_s: float, interrupted: Callable[[], bool]) -> bool:
    """Wait for the child's end without reaping it; False if it does not come in time."""
    deadline = time.monotonic() + timeout_s
    while not child.ends_within(_POLL_S):
        if interrupted():
            raise KeyboardInterrupt
        if time.monotonic() > deadline:
            return False
    return True


def _last_lines(errors: IO[bytes]) -> list[str]:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _LAST_BYTES))
    return errors.read().decode("utf-8", errors="replace").strip().splitlines()[-3:]
