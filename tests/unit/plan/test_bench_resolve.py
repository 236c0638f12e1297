"""Where the gates and the tests of a bench come from, and what is told of a pyproject.toml that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.plan.bench_resolve import bench_gates_given, resolve_bench
from harness.plan.faults import Faults
from harness.plan.project import load_project

PROJECT = """\
[project]
name = "shop"

[tool.harness]
allowed_hosts = ["staging.example"]

[tool.harness.bench]
paths = ["micro"]
gates = ['bench("test_a").mean < 5us']
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "micro").mkdir()
    (tmp_path / "other").mkdir()
    return tmp_path


def test_the_project_says_which_tests_and_gates(project: Path) -> None:
    plan = resolve_bench(["-k", "a"], folder=project)
    assert plan.suite == "shop"
    assert plan.arguments == ("-k", "a", "micro")
    assert [gate.source for gate in plan.gates] == ['bench("test_a").mean < 5us']


def test_tests_that_are_named_take_the_place_of_the_projects(project: Path) -> None:
    assert resolve_bench(["other", "-x"], folder=project).arguments == ("other", "-x")


def test_gates_of_the_command_line_replace_the_projects(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text("[[gate]]\nrequire = 'bench(\"test_b\").p95 < 1ms'\n")
    plan = resolve_bench([], gates=['bench("test_c").max < 1s'], gates_file=file, folder=project)
    assert [gate.benchmark for gate in plan.gates] == ["test_b", "test_c"]


def test_a_folder_without_a_project_goes_by_its_name(tmp_path: Path) -> None:
    plan = resolve_bench([], folder=tmp_path)
    assert (plan.suite, plan.gates, plan.arguments) == (tmp_path.name, (), ())


def test_runs_take_the_table_for_known(project: Path) -> None:
    faults = Faults()
    load_project(project, faults)
    assert not len(faults)


def test_every_fault_is_told_with_its_line(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace("5us", "5").replace("paths", "path"))
    with pytest.raises(HarnessError) as told:
        resolve_bench([], folder=project)
    assert 'pyproject.toml:9: tool.harness.bench.gates[0]: "bench("test_a").mean < 5": a unit is missing' in str(
        told.value
    )
    assert 'pyproject.toml:8: tool.harness.bench.path: unknown key "path"' in str(told.value)
    assert 'did you mean "paths"?' in str(told.value)


def test_a_wrong_gate_of_the_command_line_is_told_with_its_option() -> None:
    with pytest.raises(HarnessError, match=r"--require: .*does not say which benchmark"):
        bench_gates_given(["p95 < 3ms"], None, option="--require")
