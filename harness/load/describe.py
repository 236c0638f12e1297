"""The child that imports a scenario and tells what it holds: ``python -m harness.load.describe FILE``.

It answers ``{"description": …}`` (see ``harness.plan.description``) or ``{"fault": {"message", "where"}}``.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from locust import User

from harness.load.child_result import answer, blame, claim_stdout
from harness.load.scenario_file import load_scenario
from harness.plan.dsl import declared


def describe(path: Path) -> dict[str, Any]:
    """The description of a scenario file, as JSON. Raises whatever importing the file raises."""
    scenario = load_scenario(path)
    namespace = vars(scenario.module)
    return {
        "file": str(path),
        "name": path.stem,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "user_classes": [_describe_user(user_class) for user_class in scenario.user_classes],
        "has_verify": callable(namespace.get("verify")),
        "has_shape": scenario.shape is not None,
        **declared(namespace),
    }


def _describe_user(user_class: type[User]) -> dict[str, Any]:
    tasks = Counter(getattr(task, "__name__", repr(task)) for task in user_class.tasks)
    return {
        "name": user_class.__name__,
        "weight": user_class.weight,
        "fixed_count": user_class.fixed_count,
        "host": user_class.host,
        "tasks": {name: count / tasks.total() for name, count in tasks.items()},
    }


def main() -> None:
    """See the module's first lines."""
    path = Path(sys.argv[1])
    stdout = claim_stdout()
    try:
        description = describe(path)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (user code may raise anything)
        answer(stdout, {"fault": blame(error, path)})
    else:
        answer(stdout, {"description": description})


if __name__ == "__main__":
    main()
