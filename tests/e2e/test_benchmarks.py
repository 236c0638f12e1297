"""The benchmarks run, agree with the counts of the server and print a JSON line. Speed is not tested."""

from __future__ import annotations

import io
import json
import os
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from benchmarks import change_points
from benchmarks.stall import simulated_waits, wrk2_figures
from tests.support.command import REPOSITORY
from tests.support.fork_servers import borrowing
from tests.support.requirements import require_program


def benchmark(name: str, *options: str) -> Any:
    """The JSON line that ``benchmarks/NAME.py --short`` prints, run here: to start Python takes as long as most do."""
    script = str(REPOSITORY / "benchmarks" / f"{name}.py")
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, mock.patch.dict(os.environ), redirect_stdout(out):
        patch.setattr(sys, "argv", [script, "--short", *options])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(script, run_name="__main__")
    assert ended.value.code == 0
    return json.loads(out.getvalue().splitlines()[-1])


@pytest.mark.slow
def test_generators_record_what_the_server_has_served() -> None:
    require_program("nginx", "nginx-light")
    generators = benchmark("generator")["generators"]
    assert {"harness.HttpUser", "locust FastHttpUser", "locust HttpUser"} <= generators.keys()
    for name, figures in generators.items():
        assert figures["requests_s"]["median"] > 0, name
        assert figures["cpu_us"]["median"] > 0, name
        # wrk and hey do not count requests in flight at their end, one per user.
        assert 0 <= figures["served"] - figures["recorded"] <= 32, name
    harness = generators["harness.HttpUser"]
    assert harness["recorded"] == harness["served"]


@pytest.mark.slow
def test_tracing_is_measured_with_and_without_traced_requests() -> None:
    ways = benchmark("tracing")["ways"]
    assert len(ways) == 2
    assert all(figures["cpu_us"]["median"] > 0 for figures in ways.values())


@pytest.mark.slow
def test_the_cost_of_checks_is_measured() -> None:
    require_program("nginx", "nginx-light")
    result = benchmark("checks")
    assert result["checks"] > 0
    assert result["ways"]["without checks"]["ratio"]["median"] == 1
    assert all(figures["cpu_us"]["median"] > 0 for figures in result["ways"].values())


@pytest.mark.slow
def test_the_cost_of_checked_responses_is_measured() -> None:
    require_program("nginx", "nginx-light")
    found = benchmark("contracts")
    assert found["check_us"] > 0
    for way, figures in found["ways"].items():
        assert (figures["checked_s"]["median"] > 0) == ("no checks" not in way), way


@pytest.mark.slow
def test_a_proxy_is_compared_with_direct_connections() -> None:
    ways = benchmark("proxy")["ways"]
    assert len(ways) == 2
    for figures in ways.values():
        assert all(figures[name]["median"] > 0 for name in ("median_us", "round_trips_s", "megabytes_s"))
    assert [figures["cpu_us"]["median"] > 0 for figures in ways.values()] == [False, True]


@pytest.mark.slow
def test_open_load_is_recorded_from_its_intended_start() -> None:
    require_program("nginx", "nginx-light")
    require_program("hey", "hey")
    ((rate, figures),) = benchmark("open")["rates"].items()
    assert rate == "1000"
    assert figures["recorded"] == figures["served"] == 1000
    assert figures["recorded_apart"] == figures["served_apart"] == 1000
    for cost in ("worker_us", "hey_us", "late_p99_ms"):
        assert figures[cost]["median"] > 0, cost
    assert figures["with_master_us"]["median"] >= figures["worker_us"]["median"]


@pytest.mark.slow
def test_the_load_of_the_flash_sale_is_there_and_counted_exactly() -> None:
    require_program("nginx", "nginx-light")
    with borrowing():
        profiles = benchmark("flash")["profiles"]
    assert profiles.keys() == {"flash-load", "flash-stress"}
    for name, figures in profiles.items():
        assert figures["recorded"] == figures["served"] > 0, name


@pytest.mark.slow
def test_memory_of_idle_users_and_of_steady_load() -> None:
    require_program("nginx", "nginx-light")
    memory = benchmark("generator", "--memory")
    assert memory["idle"]["connections"] == memory["idle"]["users"] == 100
    assert memory["idle"]["full_bytes"] > memory["idle"]["empty_bytes"] > 0
    assert memory["steady"]["requests"] > 0


@pytest.mark.slow
def test_recorded_times_are_compared_with_those_of_the_server() -> None:
    truth = benchmark("truth")
    (harness, locust) = truth["stall"].values()
    # Even on a busy machine, an arrival in a freeze waits at least until its end.
    assert harness["expected_p95_ms"]["median"] > 40
    assert harness["p95_ms"]["median"] > 0.8 * harness["expected_p95_ms"]["median"]
    assert (harness["not_started"], harness["recorded"], harness["served"]) == (0, 1000, 1000)
    assert locust["recorded"] == locust["served"] > 0
    (lognormal,) = truth["known"]["distributions"].values()
    assert lognormal["recorded"] == lognormal["served"] > 0
    for figures in lognormal["percentiles"].values():
        # No response arrives before it was sent, give or take a bucket and the reading of two clocks.
        least_us = -0.001 * figures["server_us"]["median"] - 20
        assert least_us < figures["service"]["off_us"]["median"] <= figures["response"]["off_us"]["median"]


@pytest.mark.slow
def test_judging_reports_every_recorded_request() -> None:
    judging = benchmark("judging")
    # A request that ends after the last recorded second is in no count.
    assert 1150 < judging["requests"] <= 1200
    assert judging["verdict"] == "pass"
    for name in ("cpu_s", "peak_mb", "report_mb"):
        assert judging[name]["median"] > 0, name


def test_the_output_of_wrk2_is_parsed() -> None:
    printed = """
  Detailed Percentile spectrum:
       Value   Percentile   TotalCount 1/(1-Percentile)

       0.921     0.000000            1         1.00
     250.000     0.950000        37543        20.00
     440.000     0.989000        39070        91.43
     460.000     0.991000        39135       106.67
     499.000     1.000000        39500          inf
  60018 requests in 30.00s, 19.81MB read
"""
    assert wrk2_figures(printed) == pytest.approx((250, 450, 60018))


def test_waits_at_a_freezing_server_are_simulated() -> None:
    # Frozen from 1.0 to 1.5 s, 10 ms per request: the second waits for the freeze, the third also for the second.
    waits = simulated_waits(np.array([0.5, 1.2, 1.201, 3.0]), np.array([[1.0, 1.5]]), 0.01)
    assert waits.tolist() == pytest.approx([0.01, 0.31, 0.319, 0.01])


def test_steps_over_recorded_noise_are_found_and_few_others() -> None:
    series = [*change_points.seeded(50)]
    scores = [change_points.Score.of(one, found) for one, found in zip(series, change_points.ours(series), strict=True)]
    assert sum(scores, change_points.Score()).f1 >= 0.45
    assert sum(score.false for one, score in zip(series, scores, strict=True) if one.kind == "unchanged") <= 10


def test_f1_is_that_of_the_turing_change_point_dataset() -> None:
    # The start counts: two annotators, of whom one sees a change at 50, which is found four later.
    assert change_points.tcpd_f1([[50], []], [54]) == 1
    assert change_points.tcpd_f1([[50], []], [56]) == pytest.approx(2 * 0.5 * 0.75 / 1.25)
    assert change_points.tcpd_f1([[50], []], []) == pytest.approx(2 * 0.75 / 1.75)
    assert change_points.matched([10, 12], [11], margin=2) == 1


def test_the_dataset_is_read_from_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text('{"one": {"6": [2], "7": []}, "two": {"6": []}}')
    for name, dimensions, raw in (("one", 1, [1, 2, None, 4]), ("two", 2, [1]), ("three", 1, [1])):
        (tmp_path / "datasets" / name).mkdir(parents=True)
        dataset = {"name": name, "n_dim": dimensions, "series": [{"raw": raw}]}
        (tmp_path / "datasets" / name / f"{name}.json").write_text(json.dumps(dataset))
    (one,) = change_points.tcpd(tmp_path)
    assert (one.values, one.annotations) == ([1, 2, 2, 4], [[2], []])


@pytest.mark.slow
def test_the_journal_has_all_that_many_workers_report() -> None:
    (level,) = benchmark("master")["levels"]
    assert level["workers"] == 50
    assert level["recorded"] == level["sent"] >= 50 * 100 * 2
    assert level["cpu_us"] > 0


@pytest.mark.slow
def test_the_cost_of_sampling_is_measured() -> None:
    ways = benchmark("sampling")["ways"]
    assert ways["without"]["cores"]["median"] == 0
    for way in ("100 a second", "as the harness does"):
        assert ways[way]["requests_s"]["median"] > 0
        assert 0 < ways[way]["rate_hz"]["median"] <= 100
    assert ways["100 a second"]["cores"]["median"] > 0


@pytest.mark.slow
def test_what_a_run_takes_besides_its_load() -> None:
    ((length, figures),) = benchmark("start")["runs"].items()
    assert length == "1 s"
    assert figures["wall_s"]["median"] > 1 + figures["end_s"]["median"] > 1
    assert figures["cpu_s"]["median"] > 0
    assert 0 < figures["begin_s"]["median"] < figures["wall_s"]["median"]


@pytest.mark.slow
def test_verdicts_are_counted_over_trials_made_of_real_recordings() -> None:
    with borrowing():
        figures = benchmark("verdicts", "--jobs", "1")
    (duet,) = figures["recorded"]
    assert duet["changes"].keys() == {"cpu_per_request", "mean", "p50"}
    assert {(each["kind"], each["target"]) for each in figures["trials"]} == {("duet", "async"), ("night", "threaded")}
    for trials in figures["trials"]:
        assert trials["n"] == sum(trials["verdicts"].values())
        assert trials["n"] == 2 or (trials["n"] == 1 and trials["level"]["cpu"] > 0)
        assert all(sum(statuses.values()) == trials["n"] for statuses in trials["gates"].values())


@pytest.mark.slow
def test_how_often_the_right_cause_is_first_is_measured() -> None:
    with borrowing():
        found = benchmark("causes")
    assert found["counts"] == {"clean": 1, "defects": 1}
    assert [run["run"] for run in found["runs"]] == ["clean-0", "slow_search-0"]


@pytest.mark.slow
def test_how_often_a_function_that_grew_is_named_is_counted() -> None:
    with borrowing():
        groups = {(group["kind"], group["growth"]): group for group in benchmark("attribution")["groups"]}
    assert groups["clean", "none"]["cases"] == 2
    assert groups["drawn", "100%"]["cases"] == 1
    assert all(0 <= group[name] <= 1 for group in groups.values() for name in ("first", "in_three", "no_suspect"))
