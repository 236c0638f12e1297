"""One benchmark in ``summary.json``."""

from __future__ import annotations

from pydantic import BaseModel


class BenchmarkFigures(BaseModel):
    """The figures of one benchmark, over all its rounds: seconds of one call."""

    test: str
    """Its whole id: ``benchmarks/micro/test_shop.py::test_search``."""
    name: str
    """Its name in gates and reports: the test's name, or its id if two tests have the same name."""
    group: str | None = None
    rounds: int
    iterations: int
    """Calls per round; its time is divided by them."""
    min_s: float
    mean_s: float
    mean_interval_s: tuple[float, float | None]
    median_s: float
    p95_s: float
    p99_s: float
    max_s: float
    stddev_s: float
    ops: float
    """Calls a second, by the mean."""
    taken: float = 0.0
    """The share (0…1) of its time in which it was ready to run while others had the core."""
    peak_bytes: int | None = None
    """With ``--memory``: the most it held during one call."""
    allocations: int | None = None
    allocated_bytes: int | None = None
    baseline_mean_s: float | None = None
    change: float | None = None
    """The relative change of the mean; ``change_interval`` (95 %) includes the noise of both sides."""
    change_interval: tuple[float, float | None] | None = None
