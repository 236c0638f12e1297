"""``harness calibrate`` as a user calls it, and the run after it: a gate that is too tight is named before the load."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.messages import message
from harness.store import open_store
from tests.support.in_process import harness
from tests.support.targets import HTTP_SERVER

SCENARIO = """
from locust import task

from harness import HttpUser, gate, steady

class Visitor(HttpUser):
    @task
    def look(self):
        self.client.get("/health")

phases = [steady(rate="40/s", hold="1s")]
gates = [gate("p95 <= baseline + 0.01%"), gate("p95 < 1m")]
sampling = {"cpu": False, "memory": False}
"""


@pytest.mark.slow
def test_runs_of_one_build_show_what_a_gate_can_see_and_the_next_run_says_so(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HTTP_SERVER + "serve(sys.argv[1])")
    (tmp_path / "visit.py").write_text(SCENARIO)
    target = ("--target", f"{sys.executable} app.py {{port}}")
    # Three are needed; where others take the cores for a moment, a run is void.
    calibrated = harness("calibrate", "visit.py", "--runs", "6", *target, "--json", cwd=tmp_path)
    assert calibrated.exit_code == 0, calibrated.err
    shown = calibrated.json
    floors = {floor["metric"]: floor for floor in shown["floors"] if not floor["endpoint"]}
    assert 3 <= len(set(shown["run_ids"])) == len(shown["run_ids"]) <= 6
    assert {"p50", "p95", "mean", "throughput"} <= floors.keys()
    assert floors["p95"]["limit"] > 0.0001
    assert floors["p95"]["detectable"] > floors["p95"]["detectable_pooled"] > 0
    with open_store(None, tmp_path / "reports") as store:
        stored = store.calibration_for("visit", "default", shown["fingerprint"])
    assert stored is not None
    assert stored.model_dump(mode="json") == shown

    assert harness("baseline", "set", shown["run_ids"][-1], cwd=tmp_path).exit_code == 0
    run = harness("run", "visit.py", *target, "--json", cwd=tmp_path)
    assert run.json["gates"], run.err
    early, _, _ = run.err.partition(str(message("target-starting")))
    assert "`p95 <= baseline + 0.01%`" in early
    assert "p95 < 1m" not in early
