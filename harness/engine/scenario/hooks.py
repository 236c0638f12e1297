"""The child process that runs a hook of a scenario: ``setup``, ``verify`` or ``teardown``.

The result is ``{"status": "pass" | "fail" | "error", "reason", "duration_s", "data", "checks"}``. ``fail``: ``verify``
returned False, or an assertion of it failed. ``error``: the hook itself broke. ``reason`` is a message
(:meth:`harness.messages.Message.to_data`), None if it passed. ``data`` is what ``setup`` returned, ``checks`` what
``verify`` found (:mod:`harness.engine.scenario.named_checks`).
"""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import locust  # noqa: F401  (patches the interpreter for gevent, and must come before requests)
import msgpack
import requests

from harness.engine import setup_data
from harness.engine.clones import let_forks_outlive
from harness.engine.feeder import open_feeders
from harness.engine.scenario.child_result import claim_stdout, locate, one_line, write_result
from harness.engine.scenario.named_checks import NotACheck, found_by
from harness.engine.scenario.scenario_file import load_scenario
from harness.messages import Message, message
from harness.plan.dsl import Hook

MOST_DATA_BYTES = 8 << 20
"""Of what ``setup`` returns, as JSON: every load worker keeps it."""
_TIMEOUT_S = 30


class HookTarget:
    """What a hook is given: the target's ``url``, and requests that return the JSON of the response.

    Each raises ``AssertionError`` if the status is not 2xx. ``more`` are arguments of ``requests.request``.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **more: Any) -> Any:
        return self.request("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> Any:
        return self.request("POST", path, json=json, **more)

    def put(self, path: str, json: Any = None, **more: Any) -> Any:
        return self.request("PUT", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> Any:
        return self.request("DELETE", path, **more)

    def request(self, method: str, path: str, **more: Any) -> Any:
        """The JSON in the response; None if it has no body."""
        response = requests.request(method, f"{self.url}{path}", **{"timeout": _TIMEOUT_S, **more})
        assert response.ok, f"{method} {path} returned {response.status_code}: {response.text[:200]}".removesuffix(": ")
        return response.json() if response.content else None


def run_hook(name: Hook, files: list[Path], url: str, rows: list[str]) -> dict[str, Any]:
    """Import the scenario and run its hook: the child's result, without its duration. ``rows`` are its feeders'."""
    checks: list[dict[str, Any]] = []
    found: dict[str, Any] = {"status": "pass", "reason": None, "data": None, "checks": checks}

    def ended(status: str, reason: Message) -> dict[str, Any]:
        return found | {"status": status, "reason": reason.to_data()}

    try:
        hook = load_scenario(files).hook(name)
        open_feeders(rows)
        assert hook is not None, f"the scenario has no {name} any more"
        if name == "setup":
            let_forks_outlive()  # until teardown has ended; see harness.control.hooks
        returned = hook(HookTarget(url))
        if name == "verify":
            if returned is False:
                return ended("fail", message("verify-returned-false"))
            for check in found_by(returned):
                checks.append(check)  # one by one: an assertion that fails later does not lose them
        elif name == "setup":
            if (problem := _problem_of(returned)) is not None:
                return ended("error", problem)
            found["data"] = returned
    except NotACheck as error:
        return ended("error", error.reason)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        raised = locate(error, files[0])
        if name != "verify":
            return ended("error", message("hook-raised", **raised._asdict()))
        if not isinstance(error, AssertionError):
            return ended("error", message("verify-raised", **raised._asdict()))
        if text := one_line(str(error)):
            return ended("fail", message("verify-failed", error=text))
        return ended("fail", message("assertion-failed", location=raised.location))
    return found


def _problem_of(data: Any) -> Message | None:
    """Why users cannot be given what ``setup`` returned; None: they can."""
    try:
        text = json.dumps(data, allow_nan=False)
        size = len(text)
        if size <= MOST_DATA_BYTES:
            msgpack.packb(json.loads(text))  # as workers get it: without half characters and numbers above 64 bits
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return message("setup-data-not-json", problem=one_line(str(error)))
    return message("setup-data-too-large", size=size, most=MOST_DATA_BYTES) if size > MOST_DATA_BYTES else None


def main(given: Namespace) -> None:
    """See the module's first lines.

    The options: ``hook``, the scenario's ``files``, the target's ``url``; ``data``, a list of what ``setup`` returned,
    empty before that; ``rows``, the files of the feeders' rows.
    """
    for data in given.data:
        setup_data.keep(data)
    stdout = claim_stdout()
    begun, process = time.perf_counter(), os.getpid()
    result = run_hook(given.hook, list(map(Path, given.files)), given.url, given.rows)
    if os.getpid() != process:  # the hook has forked, and its copy has returned, too
        os._exit(0)
    write_result(stdout, {**result, "duration_s": time.perf_counter() - begun})
