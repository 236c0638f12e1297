"""``shape``: the scenario's own ``LoadTestShape`` sets the users, second by second, and ends the phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Never

from harness.plan.description import ScenarioDescription
from harness.plan.dsl import PhaseSpec, phase_spec
from harness.plan.model import Phase
from harness.plan.phases.base import Level, PhaseConfig
from harness.plan.problems import InvalidValue


class Shape(PhaseConfig):
    """No keys: all is in the scenario's class. Measured, since it may be all there is."""

    kind = "shape"
    measured = True

    @staticmethod
    def call(*, name: str | None = None, **unknown: Never) -> PhaseSpec:
        """The users of the scenario's ``LoadTestShape``, until it ends."""
        return phase_spec("shape", locals())

    @classmethod
    def problems(cls, table: Mapping[str, Any], scenario: ScenarioDescription) -> Iterator[InvalidValue]:  # noqa: ARG003
        if not scenario.has_shape:
            yield InvalidValue("shape-not-in-scenario", key="kind")

    def resolve(self, previous: Level) -> Phase:  # noqa: ARG002  (the same after any phase)
        return self.phase("users as the scenario's LoadTestShape sets them")
