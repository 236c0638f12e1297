"""An error rate is explained by its errors; beside a baseline, by those that it cannot have had."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recordings import Failing
from tests.unit.explain.test_explained import explanations, run_of


def test_errors_are_explained_by_what_they_say(tmp_path: Path) -> None:
    failures = [
        Failing(0.3, "HTTP 503 pool timeout", endpoint="POST /checkout"),
        Failing(0.02, "HTTP 500", endpoint="GET /products"),
    ]
    (found,) = explanations(run_of(tmp_path, "now", failures=failures, gates=["error_rate < 1%"]))
    failed = [cause for cause in found.causes if cause.kind == "failures"]
    assert [cause.what.params["failure"] for cause in failed] == ["HTTP 503 pool timeout", "HTTP 500"]
    shares = [cause.share.value for cause in failed if cause.share]
    assert sum(shares) == pytest.approx(1)


def test_failures_as_in_the_baseline_are_no_certain_cause_of_a_rise(tmp_path: Path) -> None:
    """Each kind is 5 % of the requests, and the baseline failed by 5 %: either may be the rise."""
    missing = Failing(0.05, "HTTP 404", endpoint="GET /products")
    broken = Failing(0.05, "HTTP 500", endpoint="GET /products")
    before = [run_of(tmp_path, f"before-{seed}", seed=seed, failures=[missing]) for seed in range(3)]
    (found,) = explanations(run_of(tmp_path, "now", failures=[missing, broken]), before)
    failed = [(str(cause.what.params["failure"]), cause.sure, cause.share) for cause in found.causes]
    assert sorted(failed) == [("HTTP 404", False, None), ("HTTP 500", False, None)]
    assert found.unexplained is None


def test_all_failures_are_a_cause_if_the_baseline_had_none(tmp_path: Path) -> None:
    before = [run_of(tmp_path, f"before-{seed}", seed=seed) for seed in range(3)]
    failures = [Failing(0.1, "HTTP 404", "GET /products"), Failing(0.1, "HTTP 500", "POST /checkout")]
    (found,) = explanations(run_of(tmp_path, "now", failures=failures), before)
    assert [cause.sure for cause in found.causes] == [True, True]
    assert sum(cause.share.value for cause in found.causes if cause.share) == pytest.approx(1)


def test_more_failures_of_a_kind_than_the_baseline_had_at_all_are_a_cause(tmp_path: Path) -> None:
    missing = Failing(0.02, "HTTP 404", endpoint="GET /products")
    broken = Failing(0.4, "HTTP 500", endpoint="GET /products")
    before = [run_of(tmp_path, f"before-{seed}", seed=seed, failures=[missing]) for seed in range(3)]
    (found,) = explanations(run_of(tmp_path, "now", failures=[missing, broken]), before)
    first, second = found.causes
    assert (first.what.params["failure"], first.sure, second.sure) == ("HTTP 500", True, False)
    assert first.share is not None
    assert first.share.low == pytest.approx(0.95, abs=0.03)
    assert first.share.high == 1


def test_others_that_took_the_cores_are_no_certain_cause_of_failures(tmp_path: Path) -> None:
    """They make responses late. Whether late ones fail, nobody knows; these would have failed anyway."""
    taken = {
        "target": {"cpu_percent": 50.0, "waiting_percent": 60.0},
        "machine": {"others_percent": 180.0, "cores": 2.0},
    }
    broken = [Failing(0.2, "HTTP 500", endpoint="GET /products")]
    folder = run_of(tmp_path, "now", failures=broken, sampled=lambda _: taken, gates=["error_rate < 1%"])
    (found,) = explanations(folder)
    causes = [(cause.kind, cause.sure) for cause in found.causes if cause.kind != "cpu"]
    assert causes == [("failures", True), ("cores-taken", False)]
