"""The child process that runs a scenario's ``verify(target)`` after the run.

``verify`` checks invariants of the target (the shop's ledger, say) by ``assert``, or by raising ``AssertionError``.
Its result is ``{"status": "pass" | "fail" | "error", "reason", "duration_s"}``: ``error`` means that ``verify`` itself
broke, and ``reason`` is a message (:meth:`harness.errors.Message.to_data`), None if it passed.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import locust  # noqa: F401  (patches the interpreter for gevent, and must come before requests)
import requests

from harness.engine.scenario.child_result import claim_stdout, locate, one_line, write_result
from harness.engine.scenario.scenario_file import load_scenario
from harness.messages import Message, message

_TIMEOUT_S = 30


class VerifiedTarget:
    """What ``verify`` is given: the target's ``url``, and :meth:`get` for its JSON."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        """The JSON in the response to GET ``path``. Raises ``AssertionError`` if its status is not 2xx."""
        response = requests.get(f"{self.url}{path}", timeout=_TIMEOUT_S)
        assert response.ok, f"GET {path} returned {response.status_code}: {response.text[:200]}"
        return response.json()


def verify(files: Sequence[Path], url: str) -> tuple[str, Message | None]:
    """Import the scenario and run its ``verify``: the status, and the reason unless it passed."""
    path = files[0]
    try:
        hook = load_scenario(files).verify
        assert hook is not None, "the scenario has no verify any more"
        hook(VerifiedTarget(url))
    except AssertionError as error:
        if text := one_line(str(error)):
            return "fail", message("verify-failed", error=text)
        return "fail", message("assertion-failed", location=locate(error, path).location)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        return "error", message("verify-raised", **locate(error, path)._asdict())
    return "pass", None


def main(given: Namespace) -> None:
    """See the module's first lines; the options are the scenario's ``files`` and the target's ``url``."""
    files = list(map(Path, given.files))
    stdout = claim_stdout()
    begun = time.perf_counter()
    status, reason = verify(files, given.url)
    result = {"status": status, "reason": reason and reason.to_data(), "duration_s": time.perf_counter() - begun}
    write_result(stdout, result)
