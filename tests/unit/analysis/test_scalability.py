"""The Universal Scalability Law: its coefficients are found again, and data that it does not describe is refused."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from harness.analysis.scalability import scalability_of
from harness.messages import Message
from harness.record.figures import Latency
from harness.record.phase_summary import PhaseSummary, Scalability, StepFigures

RATE, CONTENTION, COHERENCY = 100.0, 0.05, 0.002
LEVELS = [1, 2, 4, 8, 12, 16, 24, 32, 48]


def law(n: float) -> float:
    return RATE * n / (1 + CONTENTION * (n - 1) + COHERENCY * n * (n - 1))


def phase(
    points: Mapping[int, float], *, model: str = "closed", held: bool | None = True, **more: object
) -> PhaseSummary:
    """A phase whose steps had so many requests at once and that throughput."""
    steps = [
        StepFigures(
            level=n, held=held, requests=500, throughput_rps=rps, service_ms=Latency(mean=1000 * n / rps), **more
        )
        for n, rps in points.items()
    ]
    return PhaseSummary(index=0, name="s", kind="stress", model=model, start_s=0, end_s=9, steps=steps)


def fitted(points: Mapping[int, float], **more: object) -> Scalability:
    found = scalability_of(phase(points, **more))  # type: ignore[arg-type]
    assert isinstance(found, Scalability)
    return found


def test_the_coefficients_are_found_again() -> None:
    found = fitted({n: law(n) for n in LEVELS})
    assert (found.rate, found.contention, found.coherency) == pytest.approx((RATE, CONTENTION, COHERENCY), rel=1e-3)
    assert found.peak_at_once == pytest.approx(((1 - CONTENTION) / COHERENCY) ** 0.5, rel=1e-3)
    assert found.peak_rps == pytest.approx(max(law(n) for n in range(1, 50)), rel=1e-2)
    assert found.off < 1e-3


@pytest.mark.slow
def test_the_intervals_hold_the_coefficients_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(8)
    inside = 0
    for _ in range(200):
        found = fitted({n: law(n) * float(np.exp(0.02 * rng.standard_normal())) for n in LEVELS})
        low, high = found.contention_interval
        assert high is not None
        inside += low <= CONTENTION <= high
    assert inside / 200 > 0.9


def test_a_peak_beyond_what_was_measured_is_not_predicted() -> None:
    found = fitted({n: law(n) for n in LEVELS[:6]})
    assert (found.peak_at_once, found.peak_rps) == (None, None)
    assert found.most_at_once == 16


def refusal(points: Mapping[int, float], **more: object) -> str:
    found = scalability_of(phase(points, **more))  # type: ignore[arg-type]
    assert isinstance(found, Message)
    return found.code


def test_data_that_shows_no_law_is_refused() -> None:
    assert refusal({n: law(n) for n in LEVELS[:4]}) == "scalability-few-steps"
    assert refusal({n: law(n) for n in (8, 10, 12, 14, 16)}) == "scalability-narrow"
    erratic = {n: law(n) * (1.4 if at % 2 else 0.7) for at, n in enumerate(LEVELS)}
    assert refusal(erratic) == "scalability-not-fitting"


def test_steps_without_a_steady_state_or_of_a_busy_generator_do_not_count() -> None:
    points = {n: law(n) for n in LEVELS}
    assert refusal(points, model="open", held=False) == "scalability-few-steps"
    assert fitted(points, model="open", held=True).steps == len(LEVELS)
    assert fitted(points, model="closed", held=False).steps == len(LEVELS)
    assert refusal(points, generator_limited=True) == "scalability-few-steps"
