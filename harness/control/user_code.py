"""Asks short-lived children what only user code can tell: what a scenario holds, and whether its invariants hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.plan.description import ScenarioDescription

DESCRIBE_TIMEOUT_S = 60.0
VERIFY_TIMEOUT_S = 60.0


def describe_scenario(path: Path) -> ScenarioDescription:
    """What the scenario file holds. Raises :class:`HarnessError` where it is missing or cannot be imported."""
    if not path.is_file():
        similar = sorted(other.name for other in path.parent.glob("*.py")) if path.parent.is_dir() else []
        hint = f"there are: {', '.join(similar)}" if similar else "Give the path of a scenario, a Python file."
        raise HarnessError("there is no such scenario", where=str(path), hint=hint)
    path = path.resolve()
    answer = _ask("harness.load.describe", [str(path)], path, DESCRIBE_TIMEOUT_S)
    if "fault" in answer:
        raise HarnessError(
            f"the scenario cannot be imported: {answer['fault']['message']}",
            where=answer["fault"]["where"],
            hint=f"Try it by itself: {Path(sys.executable).name} -c 'import runpy; runpy.run_path({str(path)!r})'",
        )
    try:
        return ScenarioDescription.model_validate(answer["description"])
    except ValidationError as fault:
        first = fault.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise HarnessError(f"{key}: {first['msg']}", where=str(path)) from fault


def verify_target(path: Path, url: str) -> dict[str, Any]:
    """Run the scenario's ``verify``: ``{"status": "pass" | "fail" | "error", "message", "duration_s"}``."""
    try:
        return _ask("harness.load.verify", [str(path), url], path, VERIFY_TIMEOUT_S)
    except HarnessError as fault:
        return {"status": "error", "message": fault.message, "duration_s": VERIFY_TIMEOUT_S}


def _ask(module: str, arguments: list[str], scenario: Path, timeout_s: float) -> dict[str, Any]:
    try:
        child = subprocess.run(
            # -P: modules come from where they are installed, never from the folder that harness was called in.
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as fault:
        raise HarnessError(
            f"the scenario did not answer within {timeout_s:.0f} s",
            where=str(scenario),
            hint="A scenario is imported in every load process: it must not wait for anything on import.",
        ) from fault
    try:
        answer = json.loads(child.stdout)
    except ValueError as fault:
        last_lines = child.stderr.decode("utf-8", errors="replace").strip().splitlines()[-3:]
        raise HarnessError(
            f"the process that runs the scenario ended with code {child.returncode} and no answer",
            where=str(scenario),
            hint="\n  ".join(last_lines) or None,
        ) from fault
    assert isinstance(answer, dict)
    return answer
