"""Runs and baseline runs to put into a store, as small as their formats allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.record.calibration import Calibration, NoiseFloor
from harness.record.measurement import (
    ALL,
    EndpointMeasurement,
    FunctionSamples,
    Interval,
    Measurement,
    PhaseMeasurement,
    PhaseProfile,
)
from harness.record.phase_summary import PhaseSummary
from harness.record.summary import Summary, Verdict
from harness.store import RunEntry

_FIRST = datetime(2026, 2, 2, 8, tzinfo=UTC)


def make_summary(
    number: int = 1, *, scenario: str = "flash_sale", profile: str = "load", verdict: Verdict = "pass"
) -> Summary:
    """The summary of the ``number``th run: each starts an hour after the one before."""
    started = _FIRST + timedelta(hours=number)
    return Summary(
        run_id=f"{started:%Y%m%dT%H%M%SZ}-{scenario}-{profile}-{number:04x}",
        scenario=scenario,
        profile=profile,
        started_at=started.isoformat(),
        duration_s=80,
        verdict=verdict,
        exit_code={"pass": 0, "fail": 1, "inconclusive": 3, "broken": 4}[verdict],
        phases=[
            PhaseSummary(index=0, name="warm-up", kind="ramp", model="closed", start_s=0, end_s=20),
            PhaseSummary(index=1, name="held", kind="steady", model="closed", start_s=20, end_s=80),
        ],
    )


def make_measurement(
    number: int = 1, *, scenario: str = "flash_sale", profile: str = "load", p95: float = 200.0
) -> Measurement:
    """The ``number``th run, measured in two phases; ``p95`` (ms) is that of the phase ``held``."""
    summary = make_summary(number, scenario=scenario, profile=profile)
    held = {
        "p50": Interval(value=p95 / 4, low=p95 / 5, high=p95 / 3),
        "p95": Interval(value=p95, low=p95 - 10, high=p95 + 10),
        "error_rate": Interval(value=0.5, low=0.25, high=0.75),
        "throughput": Interval(value=480, low=470, high=490),
    }
    warm_up = {"p95": Interval(value=90, low=80, high=None)}
    profiled = PhaseProfile(
        samples=100, rate_hz=100, requests=4800, functions={"f (app.py)": FunctionSamples(own=40, total=90)}
    )
    return Measurement(
        run_id=summary.run_id,
        started_at=summary.started_at,
        scenario=scenario,
        profile=profile,
        phases=[
            PhaseMeasurement(name="warm-up", kind="ramp", endpoints={ALL: EndpointMeasurement(figures=warm_up)}),
            PhaseMeasurement(
                name="held", kind="steady", endpoints={ALL: EndpointMeasurement(figures=held)}, profile=profiled
            ),
        ],
    )


def make_entry(
    number: int = 1,
    *,
    scenario: str = "flash_sale",
    profile: str = "load",
    p95: float = 200.0,
    fingerprint: str = "f1",
    verdict: Verdict = "pass",
) -> RunEntry:
    """The ``number``th run as the store gets it."""
    summary = make_summary(number, scenario=scenario, profile=profile, verdict=verdict)
    measurement = make_measurement(number, scenario=scenario, profile=profile, p95=p95)
    return RunEntry(summary, fingerprint, Path(summary.run_id), measurement=measurement)


def make_calibration(
    between: float,
    scenario: str = "shop",
    profile: str = "nightly",
    fingerprint: str = "f1",
    *,
    phase: str = "steady",
    limit: float = 0.1,
) -> Calibration:
    """What three runs would have shown of the P95: the standard deviation ``between`` them, and the tightest limit."""
    floor = NoiseFloor(
        phase=phase, endpoint=ALL, metric="p95", unit="ms", mean=100, within=None, between=between, detectable=limit,
        detectable_twice_as_long=limit, detectable_pooled=limit, limit=limit,
    )  # fmt: skip
    return Calibration(
        scenario=scenario, profile=profile, fingerprint=fingerprint, run_ids=["a", "b", "c"], floors=[floor]
    )
