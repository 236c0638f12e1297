"""Where the gates and the tests of a bench come from, and what is told of a pyproject.toml that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.plan.bench_resolve import requested_bench_gates, resolve_bench
from harness.plan.problems import Problems
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
    plan = resolve_bench(["-k", "other"], folder=project)  # the name of a folder here, and no path
    assert plan.suite == "shop"
    assert (plan.arguments, plan.paths) == (("-k", "other"), ("micro",))
    assert [gate.source for gate in plan.gates] == ['bench("test_a").mean < 5us']
    assert not plan.strict


def test_its_paths_are_below_the_project_wherever_the_bench_is_started(project: Path) -> None:
    plan = resolve_bench([], folder=project / "other")
    assert (plan.suite, plan.paths) == ("shop", (str(project / "micro"),))


def test_paths_that_there_are_not_are_told(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(
        PROJECT.replace('["micro"]', '["micro/test_a.py::test_a", "mic*", "macro", "' + str(project) + '/*/"]')
    )
    (project / "micro" / "test_a.py").touch()
    with pytest.raises(
        HarnessError, match=r'pyproject.toml:8: tool.harness.bench.paths\[2\]: there is no "macro"\n  write'
    ):
        resolve_bench([], folder=project)


@pytest.mark.parametrize("path", ["**abc", "micro/**abc", "x" * 300])
def test_a_path_that_can_be_none_is_told_like_one_that_is_not_there(path: str, project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace('"micro"', f'"{path}"'))
    with pytest.raises(HarnessError, match=r"paths\[0\]: there is no "):
        resolve_bench([], folder=project)


def test_the_topmost_folder_and_one_named_like_a_pattern_are_paths(project: Path) -> None:
    (project / "[a]").mkdir()
    (project / "pyproject.toml").write_text(PROJECT.replace('"micro"', '"/", "[a]"'))
    assert resolve_bench([], folder=project).paths == ("/", "[a]")


def test_a_text_where_a_list_belongs_is_told_with_the_list(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(PROJECT.replace('["micro"]', '"micro"').replace('["staging.example"]', '"staging.example"'))
    with pytest.raises(HarnessError, match=r'bench.paths: "micro" is not a list\n  write \["micro"\]$'):
        resolve_bench([], folder=project)
    problems = Problems()
    load_project(project, problems)
    with pytest.raises(HarnessError, match=r'allowed_hosts: "staging.example" is not a list\n  write \["staging.ex'):
        problems.raise_if_any()


def test_a_project_that_is_no_table_is_told(project: Path) -> None:
    (project / "pyproject.toml").write_text('project = "shop"\n')
    with pytest.raises(HarnessError, match=r"pyproject.toml:1: project: this is not a table"):
        resolve_bench([], folder=project)


def test_the_projects_secrets_are_masked_in_what_is_written(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(PROJECT.replace("[tool.harness]", '[tool.harness]\nredact = ["tenant"]'))
    plan = resolve_bench(["--tenant", "acme", "--password=p4ss", "micro"], folder=project)
    assert plan.secret_names == ("tenant",)
    assert plan.arguments == ("--tenant", "acme", "--password=p4ss", "micro")
    assert plan.redacted().arguments == ("--tenant", "***", "--password=***", "micro")


def test_gates_of_the_command_line_replace_the_projects(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text("[[gate]]\nrequire = 'bench(\"test_b\").p95 < 1ms'\n")
    plan = resolve_bench([], gates=['bench("test_c").max < 1s'], gates_file=file, folder=project)
    assert [gate.benchmark for gate in plan.gates] == ["test_b", "test_c"]
    assert plan.strict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", r"gates.toml: there is no gate in it"),
        ("[[gate]]\nphase = 'steady'\nrequire = 'bench(\"x\").p95 < 1ms'\n", r'gates.toml:2: .* unknown key "phase"'),
    ],
)
def test_a_file_of_gates_that_is_none_is_told(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(text)
    with pytest.raises(HarnessError, match=expected):
        requested_bench_gates([], file)


def test_a_folder_without_a_project_goes_by_its_name(tmp_path: Path) -> None:
    plan = resolve_bench([], folder=tmp_path)
    assert (plan.suite, plan.gates, plan.paths) == (tmp_path.name, (), ())


def test_runs_take_the_table_for_known(project: Path) -> None:
    problems = Problems()
    load_project(project, problems)
    assert not len(problems)


def test_every_fault_is_told_with_its_line(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace("5us", "5").replace("paths", "path"))
    with pytest.raises(HarnessError) as expected:
        resolve_bench([], folder=project)
    assert 'pyproject.toml:9: tool.harness.bench.gates[0]: "bench("test_a").mean < 5": a unit is missing' in str(
        expected.value
    )
    assert 'pyproject.toml:8: tool.harness.bench.path: unknown key "path"' in str(expected.value)
    assert 'did you mean "paths"?' in str(expected.value)


def test_a_wrong_gate_of_the_command_line_is_told_with_its_option() -> None:
    with pytest.raises(HarnessError, match=r"--require: .*does not say which benchmark"):
        requested_bench_gates(["p95 < 3ms"], None, option="--require")
