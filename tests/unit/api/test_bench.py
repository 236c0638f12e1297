"""A bench, as Python starts and reads it: verdict, gates, a table of benchmarks; what only a load has is refused."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import HarnessError, Run
from harness.cli.bench import command
from tests.support.benches import bench_folder

TEST = "micro/test_x.py::test_a"


@pytest.fixture
def bench(tmp_path: Path) -> Run:
    folder = bench_folder(tmp_path, {TEST: [1e-3, 1.1e-3, 0.9e-3]}, gates=['bench("test_a").max < 1us'])
    return Run.load(folder.path)


def test_it_has_a_verdict_and_a_table(bench: Run) -> None:
    assert not bench.verdict.passed
    assert [gate.status for gate in bench.gates] == ["fail"]
    assert bench.benchmarks["test"].tolist() == [TEST]
    assert bench.benchmarks["rounds"].tolist() == [3]
    assert bench.benchmarks["median_s"].tolist() == [1e-3]
    assert bench.phases == ()


def test_it_is_judged_by_gates_of_benchmarks(bench: Run) -> None:
    assert bench.judge('bench("test_a").max < 1s').verdict.passed
    with pytest.raises(HarnessError, match="does not say which benchmark"):
        bench.judge("p95 < 5ms")
    with pytest.raises(HarnessError, match="phase=: a bench has no phases"):
        bench.judge('bench("test_a").max < 1s', phase="steady")


def test_what_only_a_load_has_is_refused(bench: Run) -> None:
    for name in ("plan", "timeline"):
        with pytest.raises(HarnessError, match="this is the folder of `harness bench`"):
            getattr(bench, name)


def test_a_call_has_every_option_of_the_command() -> None:
    options = {name for each in command.params for name in each.opts if name.startswith("--")}
    arguments = set(inspect.signature(harness.bench).parameters) - {"arguments", "hear"}
    assert {name[2:] for name in options} - {"json"} == arguments


def test_what_is_wrong_with_a_call_is_told_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HarnessError, match=r'^gate=: "p95 < 5" does not say which benchmark'):
        harness.bench("test_x.py", gate="p95 < 5")
    with pytest.raises(HarnessError, match=r"^nowhere\.toml: cannot be read"):
        harness.bench("test_x.py", gates="nowhere.toml")
    with pytest.raises(TypeError, match=r"^bench\(\) got .* 'memroy': did you mean memory="):
        harness.bench("test_x.py", memroy=True)  # type: ignore[call-arg]  # what is tested
    with pytest.raises(HarnessError, match=r"^--benchmark-json=b\.json: the harness gives this itself"):
        harness.bench(["test_x.py", "--benchmark-json=b.json"])
    with pytest.raises(HarnessError, match=r"^--benchmark-compare-fail=mean:5%: gates judge here.*\n.* gate='bench"):
        harness.bench(["test_x.py", "--benchmark-compare-fail=mean:5%"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"arguments": 5}, "^arguments=: 5 is of no use here"),
        ({"arguments": ["micro", 5]}, r"^arguments=: \['micro', 5\] is"),
        ({"gate": [harness.gate("p95 < 5ms")]}, r"^gate=: .*\n  give texts, as 'bench\(\"test_search\"\)\.mean < 2ms'"),
        ({"gates": ['bench("test_x").mean < 2ms']}, r"^gates=: (.*\n)+.*name a TOML file; gates in texts are gate=\."),
        ({"profile": "smoke"}, "^profile=: 'smoke' is .*\n  True has the slowest run under py-spy"),
        ({"memory": 1}, "^memory=: 1 is"),
        ({"out": None}, "^out=: None is"),
        ({"hear": None}, "^hear=: None is"),
    ],
)
def test_an_argument_of_a_wrong_kind_is_told_with_the_right_one(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        harness.bench(**wrong)


def test_paths_are_arguments_as_texts_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (Path("--harness-bench"), [Path("--harness-bench")]):  # refused, but understood
        with pytest.raises(HarnessError, match=r"^--harness-bench: the harness gives this itself"):
            harness.bench(arguments)
