"""``shape``: the scenario's own ``LoadTestShape`` sets the users each second, and ends the phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Never

from harness.errors import InvalidValue
from harness.plan.description import ScenarioDescription
from harness.plan.dsl import PhaseSpec, Time, phase_spec
from harness.plan.model.phase import Phase
from harness.plan.phases.base import Level, PhaseConfig
from harness.quantities import Duration, duration_text


class Shape(PhaseConfig):
    """All but its longest time is in the scenario's class. Measured, since it may be all there is."""

    kind = "shape"
    measured = True

    duration: Duration | None = None

    @staticmethod
    def call(*, duration: Time | None = None, name: str | None = None, **unknown: Never) -> PhaseSpec:
        """Run the users of the scenario's ``LoadTestShape`` until it ends, or for ``duration`` at most."""
        return phase_spec("shape", locals())

    @classmethod
    def problems(cls, table: Mapping[str, Any], scenario: ScenarioDescription) -> Iterator[InvalidValue]:  # noqa: ARG003
        if not scenario.has_shape:
            yield InvalidValue("shape-not-in-scenario", key="kind")

    def resolve(self, previous: Level) -> Phase:  # noqa: ARG002  (the same after any phase)
        most = f", for at most {duration_text(self.duration)}" if self.duration else ""
        return self.phase(f"users as the scenario's LoadTestShape sets them{most}", most_s=self.duration)
