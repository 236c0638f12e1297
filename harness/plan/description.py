"""What the short-lived child process that imports a scenario reports, as JSON on its standard output.

The controller never imports a scenario: importing Locust patches the interpreter, and a scenario may do anything.
The child passes on what the user wrote, unchecked (``harness.plan.dsl.declared``); ``resolve`` checks it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.plan.model.scenario import Scenario


class DescribeRequest(BaseModel):
    """Input of the child: ``files`` as ``harness.plan.locustfiles`` found them, ``arguments`` as they follow ``--``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    files: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()


class ScenarioDescription(Scenario):
    """A scenario as its import showed it, with the user classes that remain after arguments and tags.

    What ``harness.plan.dsl.declared`` returned stands in ``phases``, ``gates`` and so on, unchecked:
    lists of ``Spec.to_dict()`` where the user wrote them correctly, anything where not, None where nothing.
    """

    phases: Any = None
    gates: Any = None
    faults: Any = None
    sampling: Any = None
    stop_early: Any = None
    hook_timeout: Any = None
    target: Any = None
    contract: Any = None
    shape_reads_options: bool = False
    """Whether the shape takes users and times from options, by ``use_common_options``."""
