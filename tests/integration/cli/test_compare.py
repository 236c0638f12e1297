"""``harness compare`` as its user calls it, on recorded runs and benches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import harness as api
from harness.cli import cli
from harness.control.finalize import conclude
from harness.errors import HarnessError
from harness.messages import command_line_option
from harness.plan.model.phase import Phase
from harness.plan.model.run import RunPlan
from harness.record.resources import REFERENCE_WORK
from harness.record.run_folder import RunFolder, read_model
from harness.record.spans import Received, SpanWriter
from harness.report.exporters.markdown import escaped
from harness.store import open_store
from tests.support.baselines import make_calibration
from tests.support.benches import bench_folder
from tests.support.errors import harness_error
from tests.support.in_process import Said, harness
from tests.support.latencies import lognormal
from tests.support.plans import ramp, steady
from tests.support.recordings import make_environment, record_run

PHASES = [steady(name="held", seconds=30)]


def made(out: Path, number: int, median_ms: float = 20.0, phases: Sequence[Phase] = PHASES, **more: Any) -> RunFolder:
    """A run of 30 s at 200 requests/s."""
    run_id = f"20260202T0240{number:02}Z-flash_sale-default-{number:04}"
    more.setdefault("environment", make_environment("f1"))
    return record_run(out, run_id=run_id, phases=phases, latency=lognormal(median_ms, 0.1), seed=number, **more)


def conclude_all(out: Path, *folders: RunFolder) -> None:
    with open_store(None, out) as store:
        for folder in folders:
            conclude(folder, read_model(folder.plan, RunPlan), make_environment("f1"), store)


def compare(out: Path, *words: str) -> Said:
    return harness("compare", *words, "--out", str(out))


def outcomes(said: Said, endpoint: str | None = None) -> dict[str, str]:
    return {figure["metric"]: figure["outcome"] for figure in said.json["figures"] if figure["endpoint"] == endpoint}


def codes(said: Said) -> set[str]:
    return {remark["code"] for remark in said.json["remarks"]}


def test_a_slower_build_is_worse_and_a_faster_one_is_not(tmp_path: Path) -> None:
    a, b = made(tmp_path, 1), made(tmp_path, 2, 30.0)
    said = compare(tmp_path, a.run_id, b.run_id, "--margin", "40%", "--json")
    assert (said.exit_code, said.json["verdict"], said.json["schema"]) == (1, "worse", 1)
    assert outcomes(said) == {
        "p50": "worse", "p95": "worse", "p99": "worse", "mean": "worse", "error_rate": "not worse",
        "throughput": "not worse", "cpu_per_request": "not worse",
        "rss_max": "not worse",
    }  # fmt: skip
    mean = next(figure for figure in said.json["figures"] if figure["metric"] == "mean")
    assert mean["change"] == pytest.approx(0.5, abs=0.02)
    assert mean["interval"][0] < 0.5 < mean["interval"][1]
    assert codes(said) == {"compare-few-runs"}
    back = compare(tmp_path, str(b.path), str(a.path), "--margin", "40%", "--json")
    assert back.exit_code == 0
    assert outcomes(back)["p95"] == "better"


def test_equal_builds_are_not_worse_within_a_margin_that_their_noise_allows(tmp_path: Path) -> None:
    a, b = made(tmp_path, 1), made(tmp_path, 2)
    said = compare(tmp_path, a.run_id, "latest", "--margin", "40%", "--json")
    assert (said.exit_code, said.json["verdict"]) == (0, "not worse")
    tight = compare(tmp_path, a.run_id, b.run_id, "--margin", "40%", "--margin", "p95=0.5%", "--json")
    assert (tight.exit_code, outcomes(tight)["p95"]) == (3, "inconclusive")
    p95 = next(figure for figure in tight.json["figures"] if figure["metric"] == "p95")
    assert (p95["margin"], p95["settle"]["code"]) == (0.005, "compare-settle-margin")
    assert outcomes(tight)["p50"] == "not worse"


def test_several_runs_a_side_narrow_the_interval(tmp_path: Path) -> None:
    runs = [made(tmp_path, number).run_id for number in range(8)]
    one = compare(tmp_path, runs[0], runs[1], "--json").json
    sets = compare(tmp_path, ",".join(runs[:4]), ",".join(runs[4:]), "--json").json
    assert [run["run_id"] for run in sets["b"]] == runs[4:]
    assert not sets["remarks"]

    def width(comparison: Any) -> float:
        low, high = comparison["figures"][0]["interval"]
        return float(high - low)

    assert width(sets) < 0.8 * width(one)


def test_what_was_calibrated_takes_the_place_of_what_is_assumed_of_few_runs(tmp_path: Path) -> None:
    a, b = made(tmp_path, 1), made(tmp_path, 2)
    conclude_all(tmp_path, a, b)

    def width(fingerprint: str | None) -> float:
        if fingerprint is not None:
            with open_store(None, tmp_path) as store:
                store.set_calibration(make_calibration(0.02, "flash_sale", "default", fingerprint, phase="held"))
        figures = compare(tmp_path, a.run_id, b.run_id, "--json").json["figures"]
        low, high = next(one["interval"] for one in figures if (one["metric"], one["endpoint"]) == ("p95", None))
        return float(high - low)

    assumed = width(None)
    assert width("f2") == assumed  # another machine
    assert width("f1") < 0.5 * assumed


def test_a_run_whose_folder_is_gone_is_compared_from_the_store(tmp_path: Path) -> None:
    a, b = made(tmp_path, 1), made(tmp_path, 2, 30.0)
    conclude_all(tmp_path, a, b)
    before = compare(tmp_path, a.run_id, b.run_id, "--json").json
    shutil.rmtree(a.path)
    after = compare(tmp_path, a.run_id, b.run_id, "--json")
    assert after.json == before
    assert after.exit_code == 1


@pytest.mark.slow
def test_the_baseline_is_named_by_its_word(tmp_path: Path) -> None:
    a, b, c = (made(tmp_path, number, median) for number, median in ((1, 20), (2, 20), (3, 30)))
    conclude_all(tmp_path, a, b, c)
    assert compare(tmp_path, "baseline", c.run_id).exit_code == 2
    for folder in (a, b):
        assert harness("baseline", "set", str(folder.path), "--add", "--out", str(tmp_path)).exit_code == 0
    said = compare(tmp_path, "baseline", c.run_id, "--json")
    assert [run["run_id"] for run in said.json["a"]] == [b.run_id, a.run_id]
    assert (said.exit_code, said.json["a"][0]["verdict"]) == (1, "pass")
    alone = compare(tmp_path, f"{a.run_id},{b.run_id}", "baseline")
    assert (alone.exit_code, alone.code) == (2, "compare-baseline-of-itself")
    turned = compare(tmp_path, a.run_id, "baseline", "--json")
    assert [run["run_id"] for run in turned.json["b"]] == [b.run_id]


def test_benches_are_compared_by_benchmark(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rounds = {name: (scale * rng.lognormal(sigma=0.05, size=400)).tolist() for name, scale in
              (("m.py::test_page", 1e-3), ("m.py::test_cart", 2e-3))}  # fmt: skip
    slower = rounds | {"m.py::test_cart": [1.4 * seconds for seconds in rounds["m.py::test_cart"]]}
    a = bench_folder(tmp_path, rounds, name="20260102T030405Z-shop-bench-0001")
    b = bench_folder(tmp_path, slower, name="20260102T030405Z-shop-bench-0002")
    said = compare(tmp_path, a.run_id, b.run_id, "--margin", "10%", "--json")
    assert (said.exit_code, said.json["kind"]) == (1, "bench")
    assert outcomes(said, "test_cart")["mean"] == "worse"
    assert outcomes(said, "test_page")["mean"] == "not worse"


def test_benchmarks_that_only_one_build_has_are_named(tmp_path: Path) -> None:
    names = ("m.py::test_page", "m.py::test_cart", "m.py::test_new")
    rounds = {name: np.random.default_rng(5).lognormal(-7, 0.05, 400).tolist() for name in names}
    benches = {
        number: bench_folder(
            tmp_path, {name: rounds[name] for name in tests}, name=f"20260102T030405Z-shop-bench-{number:04}"
        ).run_id
        for number, tests in ((1, names[:2]), (2, names[::2]), (3, names[1:]))
    }
    remarks = compare(tmp_path, benches[1], benches[2], "--json").json["remarks"]
    missing = [one["params"] for one in remarks if one["code"] == "compare-benchmarks-missing"]
    assert missing == [{"side": "A", "names": ["test_new"]}, {"side": "B", "names": ["test_cart"]}]
    both = compare(tmp_path, benches[1], f"{benches[2]},{benches[3]}", "--json")
    assert outcomes(both, "test_cart")


def test_a_phase_under_another_load_is_left_out(tmp_path: Path) -> None:
    a = made(tmp_path, 1, phases=[ramp(seconds=5), steady(50, 20, name="held"), steady(10, 20, name="low")])
    b = made(tmp_path, 2, phases=[steady(60, 20, name="held"), steady(10, 20, name="low")])
    said = compare(tmp_path, a.run_id, b.run_id, "--json")
    assert {figure["phase"] for figure in said.json["figures"]} == {"low"}
    assert codes(said) >= {"compare-other-load"}
    alone = made(tmp_path, 3, phases=[steady(60, 20, name="held")])
    with harness_error("compare-nothing-in-common"):
        api.compare(a.path, alone.path)


@pytest.mark.parametrize(("traced", "code"), [(3, "compare-traced"), (1, "compare-untraced")])
def test_traced_runs_are_compared_with_traced_ones_only(tmp_path: Path, traced: int, code: str) -> None:
    a, other, b = made(tmp_path, 1), made(tmp_path, 2), made(tmp_path, 3)
    SpanWriter({1: a, 3: other}[traced].spans).close(Received())
    if traced == 1:
        SpanWriter(b.spans).close(Received())
    said = compare(tmp_path, f"{a.run_id},{other.run_id}", b.run_id, "--json")
    assert [remark["params"]["run"] for remark in said.json["remarks"] if remark["code"] == code] == [other.run_id]
    with harness_error("compare-nothing-in-common"):
        api.compare(other.path, b.path)


def test_what_puts_a_comparison_in_doubt_is_remarked(tmp_path: Path) -> None:
    a, b = made(tmp_path, 1), made(tmp_path, 2, profile="peak", environment=make_environment("f2"))
    assert codes(compare(tmp_path, a.run_id, b.run_id, "--json")) == {
        "compare-few-runs", "compare-other-machine", "compare-other-profile",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["{a}", "{a}"], "compare-run-on-both-sides"),
        (["{a}", "{other}"], "compare-other-scenario"),
        (["{a}", "{bench}"], "compare-run-with-bench"),
        (["{a}", "20260202T024001Z-flash_sale-default-9999"], "run-misspelled"),
        (["{a}", ","], "compare-no-run"),
        (["baseline", "baseline"], "compare-baseline-not-alone"),
        (["{a}", "{b}", "--margin", "much"], "margin-invalid"),
        (["{a}", "{b}", "--margin", "p96=5%"], "margin-unknown-metric"),
        (["{a}", "{b}", "--report", "x.pdf"], "report-file-suffix"),
        (["{a}", "{b}", "--report", "nowhere/x.html"], "report-file-folder"),
    ],
)
def test_what_cannot_be_compared_is_an_error(words: list[str], code: str, tmp_path: Path) -> None:
    names = {
        "a": made(tmp_path, 1).run_id,
        "b": made(tmp_path, 2).run_id,
        "other": made(tmp_path, 3, scenario="cart").run_id,
        "bench": bench_folder(tmp_path, {"m.py::test_page": [0.1] * 9}).run_id,
    }
    done = CliRunner().invoke(cli, ["compare", *(word.format(**names) for word in words), "--out", str(tmp_path)])
    assert isinstance(done.exception, HarnessError)
    assert (done.exception.code, done.exception.exit_code) == (code, 2)
    assert done.exception.style is command_line_option


def test_the_page_and_the_markdown_show_every_section(tmp_path: Path) -> None:
    a, b = made(tmp_path, 1), made(tmp_path, 2, 30.0)
    files = [tmp_path / f"comparison{suffix}" for suffix in (".html", ".md", ".json")]
    said = compare(tmp_path, a.run_id, b.run_id, *(word for file in files for word in ("--report", str(file))))
    assert (said.exit_code, said.out) == (1, "")
    page, markdown, data = (file.read_text() for file in files)
    assert page.count("data-outcome=") == len(json.loads(data)["figures"])
    assert all(f'<section id="{name}"' in page for name in ("verdict", "figures", "runs"))
    assert len(page) < 100_000  # without plotly.js
    assert escaped(a.run_id) in markdown
    assert b.run_id in said.err


def test_python_compares_runs_by_folder_id_and_object(tmp_path: Path) -> None:
    a, b = made(tmp_path, 1), made(tmp_path, 2, 30.0)
    comparison = api.compare(a.path, api.Run(b), margin=["10%", "p99=30%"])
    assert comparison.verdict == "worse"
    assert {figure.metric for figure in comparison.of("worse")} >= {"p50", "mean"}
    assert api.compare([a.run_id], b.run_id, out=tmp_path).exit_code == 1


def beside_others(out: Path, number: int, cpu_percent: float, *, taken: bool = True) -> RunFolder:
    """A run in which others took the cores all the time: what it does needs so much CPU time."""
    waiting, others = (60.0, 180.0) if taken else (1.0, 2.0)
    readings = {
        "target": {"cpu_percent": cpu_percent, "waiting_percent": waiting},
        "machine": {"others_percent": others, "cores": 2.0},
        REFERENCE_WORK: {"one_us": 100.0},
    }
    return made(out, number, sampled=lambda _: readings)


@pytest.mark.parametrize(("percent", "verdict", "cpu"), [(50.0, "inconclusive", "not worse"), (80.0, "worse", "worse")])
def test_runs_beside_others_are_compared_by_cpu_time_at_equal_speed(
    tmp_path: Path, percent: float, verdict: str, cpu: str
) -> None:
    before, after = (
        [beside_others(tmp_path, at + more, used) for at in range(1, 4)] for more, used in ((0, 50.0), (3, percent))
    )
    sides = [",".join(folder.run_id for folder in side) for side in (before, after)]
    said = compare(tmp_path, *sides, "--json")
    assert said.json["verdict"] == verdict
    assert outcomes(said) == {"cpu_per_request": cpu, "rss_max": "not worse"}
    assert codes(said) == {"compare-contaminated"}
    assert ("compare-times-unknown" in [reason["code"] for reason in said.json["reasons"]]) == (
        verdict == "inconclusive"
    )


def test_of_phases_that_are_left_out_nothing_else_is_said(tmp_path: Path) -> None:
    a, b = made(tmp_path, 1, phases=[steady(10, 20, name="held")]), beside_others(tmp_path, 2, 50.0)
    with harness_error("compare-nothing-in-common") as caught:
        api.compare(a.path, b.path)
    reasons = caught.value.params["reasons"]
    assert isinstance(reasons, list)
    assert [reason.code for reason in reasons] == ["compare-other-load"]


def test_response_times_are_those_of_the_runs_without_others(tmp_path: Path) -> None:
    a = [beside_others(tmp_path, 1, 50.0), beside_others(tmp_path, 2, 50.0, taken=False)]
    b = beside_others(tmp_path, 3, 50.0, taken=False)
    said = compare(tmp_path, ",".join(folder.run_id for folder in a), b.run_id, "--json", "--margin", "60%")
    assert {"p95", "cpu_per_request"} <= outcomes(said).keys()
    assert said.json["verdict"] == "not worse"
