"""Requirements on metrics: ``p95 < 500ms``, and conditions that join them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import field_validator

from harness.metrics import RUN_METRICS, run_metric
from harness.metrics.named import is_named
from harness.metrics.series import SeriesFigure, is_series
from harness.plan.frozen import Frozen

if TYPE_CHECKING:
    from harness.metrics.aggregate import Aggregate
    from harness.metrics.metric import Metric

Comparator = Literal["<", "<=", ">", ">=", "="]
_HOLDS: dict[Comparator, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


class Requirement(Frozen):
    """What the requirements of runs and of benches share.

    ``value`` is in ``unit``, the metric's own. With ``baseline`` the limit is the baseline's figure, changed by it.
    """

    known: ClassVar[Mapping[str, Metric[Any]]]
    """The metrics that it may be a requirement on."""

    metric: str
    comparator: Comparator
    value: float
    unit: str
    baseline: bool = False
    source: str
    """What the user wrote."""

    @field_validator("metric")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if not cls.has(name):
            raise ValueError(f"there is no metric {name}")
        return name

    @classmethod
    def has(cls, metric: str) -> bool:
        """Whether it may be a requirement on the metric of that name."""
        return metric in cls.known

    @property
    def is_upper(self) -> bool:
        """Whether the limit is one from above."""
        return self.comparator in ("<", "<=")

    def holds(self, value: float, limit: float) -> bool:
        """Whether ``value`` is on the good side of ``limit``."""
        return _HOLDS[self.comparator](value, limit)

    def holds_all_over(self, low: float, high: float | None, limit: float) -> bool | None:
        """Whether all of an interval is on the good side of ``limit``; False: on the bad side; None: on both."""
        top = math.inf if high is None else high
        worst, best = (top, low) if self.is_upper else (low, top)
        if self.holds(worst, limit):
            return True
        return None if self.holds(best, limit) else False


class Comparison(Requirement):
    """One requirement on one metric of a run, e.g. ``p95 < 500ms`` or ``p95 <= baseline + 10%``.

    ``value`` is in ms, % (``error_rate``: 0…100) or per second. With ``baseline`` the limit is changed by so many per
    cent of the baseline's figure where ``unit`` is ``%`` (of an ``error_rate``: by percentage points), else by so much.
    ``value`` is negative for ``baseline - 5%``.

    With ``step``, as in ``p95 no step up``, the limit is the level before a step that the figure took in that direction
    over the stored runs: ``baseline`` is set, and ``value`` is 0.

    With ``during`` it is one on the seconds under the fault of that name. ``after`` is the fault whose recovery time
    it limits; ``recovered`` is the condition that must hold again, None: as before the fault.
    """

    known = RUN_METRICS

    step: Literal["up", "down"] | None = None
    during: str | None = None
    after: str | None = None
    recovered: Condition | None = None

    @classmethod
    def has(cls, metric: str) -> bool:
        return super().has(metric) or is_series(metric) or is_named(metric)

    @property
    def fault(self) -> str | None:
        """The fault that it names."""
        return self.during or self.after

    @property
    def measures(self) -> Metric[Aggregate]:
        """The metric that it is a requirement on."""
        return run_metric(self.metric, "lower" if self.is_upper else "higher")

    @property
    def series(self) -> SeriesFigure | None:
        """The figure of a series from the target's surroundings, if it is a requirement on one."""
        statistic: object = self.measures.statistic
        return statistic if isinstance(statistic, SeriesFigure) else None

    def holds_all_over(self, low: float, high: float | None, limit: float) -> bool | None:
        holds = super().holds_all_over(low, high, limit)
        # The upper end of a capacity is a level that broke: the capacity is below it.
        broke_at_limit = self.measures.needs == "steps" and not self.is_upper and high == limit
        return False if holds is None and broke_at_limit else holds

    @property
    def percent(self) -> bool:
        """Whether ``value`` is a share of the baseline's figure."""
        return self.unit == "%" and not self.measures.unit.is_share


class Condition(Frozen):
    """Comparisons joined by ``or`` (outer) and ``and`` (inner): true when all of any group are true."""

    any_of: tuple[tuple[Comparison, ...], ...]
    source: str


def joined(any_of: Iterable[Iterable[bool | None]]) -> bool | None:
    """Whether a :class:`Condition` is true whose comparisons are as stated; None where that is not known."""
    groups = [list(group) for group in any_of]
    if any(all(is_true is True for is_true in group) for group in groups):
        return True
    return False if all(any(is_true is False for is_true in group) for group in groups) else None


Comparison.model_rebuild()
