"""A figure that did not fail is never said to be one that would have."""

from __future__ import annotations

import pytest

from harness.gates.requirement import detectable_of, judge_beside
from harness.plan.expression import parse_requirement
from harness.record.measurement import Interval


def test_what_would_have_failed_beside_a_build_is_more_than_what_did_not() -> None:
    """The 95 % interval is beyond the limit of 9.6, and one of more confidence is not."""
    gate = parse_requirement("cpu_per_request <= baseline + 20%")
    found = judge_beside(8.0, widening=1.5)(gate, Interval(value=12.0, low=10.0, high=14.0), [])
    assert found.status == "inconclusive"
    assert detectable_of(gate, found) == pytest.approx(9.6 * 12 / 9)
