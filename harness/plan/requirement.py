"""Requirements on the metrics of a run: ``p95 < 500ms``, and conditions that join them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from harness.metrics import RUN_METRICS
from harness.metrics.comparators import Comparator, holds
from harness.plan.frozen import Frozen

if TYPE_CHECKING:
    from harness.metrics.aggregate import Aggregate
    from harness.metrics.metric import Metric


def _known(name: str) -> str:
    if name not in RUN_METRICS:
        raise ValueError(f"there is no metric {name}")
    return name


class Comparison(Frozen):
    """One requirement on one metric, e.g. ``p95 < 500ms`` or ``p95 <= baseline + 10%``.

    ``value`` is in ``unit``: ms, % (``error_rate``: 0…100) or per second. With ``baseline`` the limit is the
    baseline's figure, changed by ``value``: by so many per cent of it where ``unit`` is ``%`` (of an ``error_rate``: by
    percentage points), else in the metric's own unit. ``value`` is negative for ``baseline - 5%``.
    """

    metric: Annotated[str, AfterValidator(_known)]
    comparator: Comparator
    value: float
    unit: str
    baseline: bool = False
    source: str
    """What the user wrote."""

    @property
    def measures(self) -> Metric[Aggregate]:
        """The metric that it is a requirement on."""
        return RUN_METRICS[self.metric]

    @property
    def percent(self) -> bool:
        """Whether ``value`` is a share of the baseline's figure."""
        return self.unit == "%" and not self.measures.unit.is_share

    def holds(self, value: float) -> bool:
        """Whether ``value``, in the metric's unit, meets a requirement that compares with no baseline."""
        return holds(value, self.comparator, self.value)


class Condition(Frozen):
    """Comparisons joined by ``or`` (outer) and ``and`` (inner): true when all of any group are true."""

    any_of: tuple[tuple[Comparison, ...], ...]
    source: str
