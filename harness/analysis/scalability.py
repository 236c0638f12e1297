"""Fits the Universal Scalability Law to the steps of a stress or search phase.

    X(N) = λN / (1 + σ(N − 1) + κN(N − 1))

``X`` is the throughput with ``N`` requests in the target at once, ``λ`` that of one alone, ``σ`` the *contention* (the
share of the work that waits for something only one may have) and ``κ`` the *coherency* (what it costs each pair of
requests to agree, which makes throughput fall again). Gunther 1993, "A Simple Capacity Model of Massively Parallel
Transaction Systems"; Gunther 2007, "Guerrilla Capacity Planning".

``N`` is not the number of users, who also think: by Little's law (1961) it is throughput times mean service time. That
holds in steady state only, so steps of the open model that broke are left out: their queues grow.

Where the law does not describe the data, nothing is said about contention: fewer than :data:`FEWEST` steps, less than
:data:`NARROWEST` times between the least and the most requests at once, or predictions that are off by more than
:data:`WORST` (root mean square, relative).
"""

from __future__ import annotations

import math

import numpy as np

from harness.analysis.intervals import student
from harness.analysis.samples import Floats
from harness.messages import Message, message
from harness.record.notice import Notice
from harness.record.phase_summary import PhaseSummary, Scalability, StepFigures

FEWEST = 5
NARROWEST = 3.0
WORST = 0.1
_NOTHING = 1e-9
"""What the fit gives where a coefficient is 0."""


def with_scalability(phase: PhaseSummary) -> PhaseSummary:
    """``phase`` with the law fitted to its steps, or the reason why it was not fitted."""
    if not phase.steps:
        return phase
    found = scalability_of(phase)
    if isinstance(found, Message):
        return phase.model_copy(update={"no_scalability": Notice.of(found)})
    return phase.model_copy(update={"scalability": found})


def scalability_of(phase: PhaseSummary) -> Scalability | Message:
    """The law's coefficients with their 95 % intervals, or why there are none."""
    steps = [step for step in phase.steps if _is_steady(step, phase)]
    if len(steps) < FEWEST:
        return message("scalability-few-steps", steps=len(steps), needed=FEWEST)
    throughput = np.array([step.throughput_rps for step in steps])
    at_once = throughput * np.array([step.service_ms.mean or 0.0 for step in steps]) / 1000
    if at_once.max() < NARROWEST * at_once.min():
        return message("scalability-narrow", least=float(at_once.min()), most=float(at_once.max()), needed=NARROWEST)
    return _fitted(at_once, throughput)


def _is_steady(step: StepFigures, phase: PhaseSummary) -> bool:
    known = step.requests and step.service_ms.mean and not step.generator_limited
    return bool(known) and (phase.model == "closed" or step.held is True)


def _law(n: Floats, rate: float, contention: float, coherency: float) -> Floats:
    return np.asarray(rate * n / (1 + contention * (n - 1) + coherency * n * (n - 1)))


def _fitted(n: Floats, throughput: Floats) -> Scalability | Message:
    from scipy.optimize import curve_fit  # only where there are steps: it takes 0.1 s

    alone = float((throughput / n)[n.argmin()])
    found, covariance = curve_fit(
        _law,
        n,
        throughput,
        p0=(alone, 0.05, 0.001),
        sigma=throughput,
        bounds=([0, 0, 0], [np.inf, 1, 1]),
        maxfev=10_000,
    )
    off = float(np.sqrt(np.mean(np.square(_law(n, *found) / throughput - 1))))
    if off > WORST:
        return message("scalability-not-fitting", off=off, most=WORST)
    halves = student(max(len(n) - 3, 1)) * np.sqrt(np.diag(covariance))
    rate, contention, coherency = (
        (
            0.0 if value < _NOTHING else float(value),
            max(0.0, float(value - half)),
            float(value + half) if math.isfinite(half) else None,
        )
        for value, half in zip(found, halves, strict=True)
    )
    best = math.sqrt((1 - contention[0]) / coherency[0]) if coherency[0] > 0 else math.inf
    # Beyond what was measured, the law is a guess, so a peak there is not reported.
    seen = best <= n.max()
    return Scalability(
        rate=rate[0],
        rate_interval=rate[1:],
        contention=contention[0],
        contention_interval=contention[1:],
        coherency=coherency[0],
        coherency_interval=coherency[1:],
        off=off,
        steps=len(n),
        most_at_once=float(n.max()),
        peak_at_once=best if seen else None,
        peak_rps=float(_law(np.array([best]), *found)[0]) if seen else None,
    )
