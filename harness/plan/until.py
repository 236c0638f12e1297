"""Whether the ``until`` of a stress phase came true on the requests of one of its steps."""

from __future__ import annotations

from harness.metrics.aggregate import Accumulator
from harness.plan.requirement import Condition

FEWEST_REQUESTS = 20
"""With fewer, the percentiles of a step mean nothing."""


class StepTotals(Accumulator):
    """The requests of one step."""

    @property
    def has_enough(self) -> bool:
        """Whether there are enough requests to say that the step held: too few if the target does not respond."""
        return self.requests >= FEWEST_REQUESTS

    def breaks(self, until: Condition, duration_s: float) -> str | None:
        """The comparison of ``until`` that came true, with the figure: ``p95 > 500ms (was 612 ms)``; None: none did."""
        if not self.has_enough:
            return None
        step = self.over(duration_s)
        for group in until.any_of:
            observed = [(comparison, comparison.measures.value(step)) for comparison in group]
            if all(value is not None and comparison.holds(value, comparison.value) for comparison, value in observed):
                return " and ".join(
                    f"{comparison.source} (was {value:,.4g} {comparison.unit})" for comparison, value in observed
                )
        return None
