"""The plan of ``harness bench``: which tests pytest runs, which gates must hold, what is profiled.

Frozen, complete, stored as ``plan.json``, like :class:`harness.plan.model.run.RunPlan`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AliasChoices, Field

from harness.metrics import BENCH_METRICS
from harness.plan.frozen import Frozen, Redacted
from harness.plan.requirement import Requirement
from harness.record.redaction import redacted_words

if TYPE_CHECKING:
    from harness.metrics.metric import Metric
    from harness.metrics.rounds import RoundTimes

PROFILE = "bench"
"""The profile's name of every bench: baselines and the catalogue are keyed by suite, profile and environment."""


def name_of(test: str) -> str:
    """The name of a test by its whole id: ``test_page[20]`` of ``micro/test_shop.py::TestPages::test_page[20]``."""
    file, _, inside = test.partition("::")  # the file's path may contain brackets, too
    path, bracket, parameters = (inside or file).partition("[")
    return path.rpartition("::")[2] + bracket + parameters


def reads(pattern: str, test: str) -> bool:
    """Whether ``bench(pattern)`` covers the benchmark with the id ``test``.

    By its id, its name, or its name without parameters; ``*`` matches any characters.
    """
    name = name_of(test)
    whole = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    return any(whole.fullmatch(word) for word in (test, name, name.partition("[")[0]))


class BenchGate(Requirement):
    """One requirement on benchmarks, e.g. ``bench("test_search").mean <= baseline + 5%``.

    ``benchmark`` is a test's name, its whole id, or a pattern of either with ``*``. ``value`` is in ``unit``: seconds,
    per second, bytes, or a plain number; with ``baseline`` it is what the baseline's figure is changed by, in that unit
    or, where ``percent``, in per cent of it.
    """

    known = BENCH_METRICS

    benchmark: str
    percent: bool = False

    @property
    def measures(self) -> Metric[RoundTimes]:
        """The metric that it is a requirement on."""
        return BENCH_METRICS[self.metric]


class BenchPlan(Frozen):
    """Everything needed to run the suite again."""

    schema_version: Literal[1] = 1
    kind: Literal["bench"] = "bench"
    suite: str
    """The project's name: baselines are keyed by it, whichever part of the suite a run covers."""
    folder: str
    """Absolute; where pytest was started."""
    arguments: Annotated[tuple[str, ...], Redacted(redacted_words)]
    """The arguments for pytest."""
    paths: tuple[str, ...] = ()
    """The tests if ``arguments`` name none; empty: those that pytest finds by itself."""
    gates: tuple[BenchGate, ...]
    strict: bool = True
    """Whether the gates were given for this call. Each must then name a benchmark, whatever tests are chosen."""
    profile: bool = False
    """Whether the slowest benchmarks are run again under py-spy."""
    memory: bool = False
    """Whether each benchmark is called once more under memray."""
    secret_names: tuple[str, ...] = Field((), validation_alias=AliasChoices("secret_names", "mask"))
    """Names of the user's own secrets, which must not be recorded."""

    @property
    def key(self) -> tuple[str, str]:
        """As :attr:`harness.plan.model.run.RunPlan.key`."""
        return self.suite, PROFILE
