"""Expects an error of the product by its code, not by its sentence."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError


def harness_error(code: str) -> pytest.RaisesExc[HarnessError]:
    """``pytest.raises`` for the :class:`HarnessError` with that code."""
    return pytest.RaisesExc(HarnessError, check=lambda error: error.code == code)
