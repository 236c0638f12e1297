"""What is kept of a baseline run, and ``baseline.json``: the baseline a run was compared with, as it stood then.

The store keeps one :class:`BaselineRun` a baseline run; a run's folder holds a copy of those it was compared with, so
that judging and drawing it again needs nothing but the folder.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from harness.record.summary import Summary


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Interval(_Part):
    """A figure and its 95 % interval, in the metric's unit; ``high`` None: too few requests to bound it from above."""

    value: float
    low: float
    high: float | None


Figures = dict[str, Interval]
"""The figures of one place, by metric."""


class FunctionSamples(_Part):
    """In how many CPU samples of a phase a function was on top of the stack (``own``) or anywhere on it (``total``)."""

    own: int
    total: int


class PhaseProfile(_Part):
    """The CPU profile of one phase by function; the key is the function as folded, ``function (file.py)``, lineless.

    ``requests`` were sent while the sampler was on: what the samples are divided by when profiles are compared.
    """

    samples: int
    rate_hz: float
    requests: float
    functions: dict[str, FunctionSamples]


class BaselineRun(_Part):
    """One run, as far as later runs are compared with it.

    ``figures`` maps ``phase``, endpoint (``""``: all together) and metric (``p95``, ``throughput``, …) to the figure
    and its interval; ``profiles`` maps a phase's name to its CPU profile.
    """

    run_id: str
    started_at: str
    summary: Summary
    figures: dict[str, dict[str, dict[str, Interval]]]
    profiles: dict[str, PhaseProfile]


class Baseline(_Part):
    """The baseline of one (scenario, profile, environment fingerprint): its runs, latest first; at least one."""

    scenario: str
    profile: str
    fingerprint: str
    runs: list[BaselineRun]
