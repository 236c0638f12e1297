"""The child that runs a scenario's ``verify(target)`` after the run.

Started as ``python -m harness.quick_start harness.engine.scenario.verify --parent PID FILE…``, with the target's URL
in its environment; it dies with that parent.

``verify`` checks invariants of the target (the shop's ledger, say) by ``assert``, or by raising ``AssertionError``.
It answers ``{"status": "pass" | "fail" | "error", "message", "duration_s"}``; ``error`` is a ``verify`` that broke.
(The controller notes ``interrupted`` where the user did not wait for it.)
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import locust  # noqa: F401  (patches the interpreter for gevent, and must come before requests)
import requests

from harness.engine.process_setup import TARGET_VARIABLE, die_with_parent, take
from harness.engine.scenario.child_result import answer, blame, claim_stdout, one_line
from harness.engine.scenario.scenario_file import load_scenario

_TIMEOUT_S = 30


class VerifiedTarget:
    """What ``verify`` is given: the target's ``url``, and :meth:`get` for its JSON."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        """The JSON that GET ``path`` answers. Raises ``AssertionError`` where the answer is not 2xx."""
        response = requests.get(f"{self.url}{path}", timeout=_TIMEOUT_S)
        assert response.ok, f"GET {path} answered {response.status_code}: {response.text[:200]}"
        return response.json()


def verify(files: Sequence[Path], url: str) -> dict[str, str]:
    """Import the scenario and run its ``verify``."""
    path = files[0]
    try:
        hook = load_scenario(files).verify
        assert hook is not None, "the scenario has no verify any more"
        hook(VerifiedTarget(url))
    except AssertionError as error:
        return {
            "status": "fail",
            "message": one_line(str(error)) or f"an assertion failed at {blame(error, path)['where']}",
        }
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        blamed = blame(error, path)
        return {"status": "error", "message": f"{blamed['where']}: {blamed['message']}"}
    return {"status": "pass", "message": ""}


def main() -> None:
    """See the module's first lines."""
    parser = argparse.ArgumentParser(prog="harness.engine.scenario.verify")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("scenario", type=Path, nargs="+")
    given = parser.parse_args()
    die_with_parent(given.parent)
    stdout = claim_stdout()
    begun = time.perf_counter()
    result = verify(given.scenario, take(TARGET_VARIABLE))
    answer(stdout, {**result, "duration_s": time.perf_counter() - begun})
