"""What declares a metric: its name, unit, better direction, statistic and help line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from harness.metrics.units import Unit

_Data = TypeVar("_Data", contravariant=True)

Direction = Literal["lower", "higher"]
Need = Literal[
    "requests", "target", "steps", "rounds", "memory", "traces", "metrics", "checks", "verify", "contract", "faults"
]


class Statistic(Protocol[_Data]):
    """How a figure is computed. :mod:`harness.analysis` has a 95 % interval for each class of statistic."""

    def value(self, data: _Data) -> float | None:
        """The figure, in the metric's unit; None where ``data`` has nothing to compute it from."""


@dataclass(frozen=True, slots=True)
class Metric(Generic[_Data]):
    """One word that a gate may use."""

    name: str
    unit: Unit
    better: Direction
    statistic: Statistic[_Data]
    help: str
    """What it is, in one line of the documentation."""
    synonyms: tuple[str, ...] = ()
    """Words for it that people bring from other tools."""
    needs: Need = "requests"
    """What must have been recorded for it."""
    compared: bool = False
    """Whether comparisons with a baseline show it; a gate can compare any metric."""
    others_matter: bool = True
    """Whether other processes that take the cores change it."""
    between_runs: float | None = None
    """The relative standard deviation between runs of one build that a ``fail`` assumes while the baseline has too few
    runs to show it; None: the least that is always assumed."""

    def value(self, data: _Data) -> float | None:
        """The figure, in :attr:`unit`; None where ``data`` has nothing to compute it from."""
        return self.statistic.value(data)

    @property
    def example(self) -> str:
        """A requirement on it, as a user would write it: ``p95 < 500ms``."""
        of_fault = ' after "db slow"' if self.needs == "faults" else ""
        return f"{self.name} {'<' if self.better == 'lower' else '>='} {self.unit.example}{of_fault}"
