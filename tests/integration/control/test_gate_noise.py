"""A gate that is tighter than a calibration saw is reported before the run, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.control.gate_noise import too_tight
from harness.store import open_store
from tests.support.baselines import make_calibration, make_entry
from tests.support.plans import make_plan, steady


@pytest.mark.parametrize(
    ("gate", "fingerprint", "expected"),
    [
        ("p95 <= baseline + 5%", "f1", ["gate-tighter-than-noise"]),
        ("p95 <= baseline + 12%", "f1", []),
        ("p95 <= baseline + 5ms", "f1", []),
        ("p95 < 5ms", "f1", []),
        ("p99 <= baseline + 1%", "f1", []),  # was not calibrated
        ("p95 <= baseline + 5%", "f2", []),  # another machine
    ],
)
def test_gates_tighter_than_the_floor_are_named(
    gate: str, fingerprint: str, expected: list[str], store_url: str, tmp_path: Path
) -> None:
    plan = make_plan([steady(10, 10)], [gate], scenario="shop", profile="nightly")
    with open_store(store_url, tmp_path) as store:
        assert list(too_tight(plan, lambda: "f1", store)) == []
        store.set_calibration(make_calibration(0.03, limit=0.5))
        store.set_calibration(make_calibration(0.03, limit=0.1))
        found = list(too_tight(plan, lambda: fingerprint, store))
    assert [warning.code for warning in found] == expected
    for warning in found:
        assert (warning.params["gate"], warning.params["runs"]) == (gate, 3)


def test_a_baseline_carries_the_calibration_of_its_key(store_url: str, tmp_path: Path) -> None:
    with open_store(store_url, tmp_path) as store:
        store.set_baseline(make_entry(1), replace=True)
        of_others = make_calibration(0.03)
        store.set_calibration(of_others)
        before = store.baseline_for("flash_sale", "load", "f1")
        own = of_others.model_copy(update={"scenario": "flash_sale", "profile": "load"})
        store.set_calibration(own)
        after = store.baseline_for("flash_sale", "load", "f1")
    assert before is not None
    assert after is not None
    assert (before.calibration, after.calibration) == (None, own)
