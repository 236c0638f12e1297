"""Intervals that hold however often they are checked, for runs that end once a figure is decided.

A 95 % interval by Student's t errs in one of twenty runs if it is read once, at the end. Whoever reads it after every
block and stops when it excludes something errs several times as often. A *confidence sequence* (Howard, Ramdas,
McAuliffe & Sekhon 2021, Annals of Statistics 49(2)) holds the truth at all times together with the stated probability.

This is the one for means of unknown variance (Wang & Ramdas 2025, Sequential Analysis 44(1); Lai 1976, Annals of
Statistics 4(2)): the likelihood ratio of "the mean is off by so many standard deviations", averaged over a normal
distribution of variance 1/c² of those, against "it is not". It does not depend on the deviation, is a martingale if
blocks are independent and normal, and so exceeds 1/α at any time with a probability of at most α (Ville 1939). Ratios
and quantiles are means of their linearisations, which holds once there are some blocks.
"""

from __future__ import annotations

import math

_PART = 32
"""The reach is least from about a third of the planned blocks on: 3.1 to 3.2 standard errors up to their end."""


def reach(seen: int, planned: int, alpha: float) -> float:
    """How many standard errors an interval after ``seen`` of ``planned`` blocks reaches; infinite after a few."""
    square = _square(planned)
    growth = ((seen + square) / (square * alpha**2)) ** (1 / seen)
    room = 1 - growth * square / (seen + square)
    return math.sqrt((growth - 1) * (seen - 1) / room) if room > 0 else math.inf


def chance(errors: float, seen: int, planned: int) -> float:
    """The p-value of no difference, valid at all times together, for a difference of ``errors`` standard errors."""
    square = _square(planned)
    spread = seen - 1 + errors**2
    left = seen - 1 + errors**2 * square / (seen + square)
    evidence = math.log(square / (seen + square)) / 2 + seen / 2 * math.log(spread / left)
    return math.exp(-max(0.0, evidence))


def _square(planned: int) -> float:
    return max(planned / _PART, 1.0)
