"""How often the functions of the targets repeat their work."""

from __future__ import annotations

import os

UNIT = 100
"""A repetition is a hundredth of what a function usually does."""

_function, _, _factor = os.environ.get("GROW", "").partition(":")


def repeats(function: str) -> range:
    """The repetitions of ``function``: a hundred, or more or fewer if the environment says so."""
    return range(round(UNIT * float(_factor))) if function == _function else range(UNIT)
