"""Where the gates and the tests of a bench come from, and how problems of pyproject.toml are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError, ManyProblemsError
from harness.messages import Option
from harness.plan.bench_resolve import requested_bench_gates, resolve_bench
from harness.plan.problems import Problems
from harness.plan.profile import load_project
from tests.unit.plan.support import Found, assert_found, found

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


def problems_of_bench(project: Path) -> list[Found]:
    with pytest.raises(ManyProblemsError) as raised:
        resolve_bench([], folder=project)
    return [found(problem, project) for problem in raised.value.problems]


def test_the_project_says_which_tests_and_gates(project: Path) -> None:
    plan = resolve_bench(["-k", "other"], folder=project)  # the name of a folder here, and no path
    assert plan.suite == "shop"
    assert (plan.arguments, plan.paths) == (("-k", "other"), ("micro",))
    assert [gate.source for gate in plan.gates] == ['bench("test_a").mean < 5us']
    assert not plan.strict


def test_its_paths_are_below_the_project_wherever_the_bench_is_started(project: Path) -> None:
    plan = resolve_bench([], folder=project / "other")
    assert (plan.suite, plan.paths) == ("shop", (str(project / "micro"),))


def test_missing_paths_are_reported(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(
        PROJECT.replace('["micro"]', '["micro/test_a.py::test_a", "mic*", "macro", "' + str(project) + '/*/"]')
    )
    (project / "micro" / "test_a.py").touch()
    (problem,) = problems_of_bench(project)
    assert_found([problem], "pyproject.toml:8: tool.harness.bench.paths[2]", "bench-path-not-found", {"path": "macro"})


@pytest.mark.parametrize("path", ["**abc", "micro/**abc", "x" * 300])
def test_an_impossible_path_is_reported_like_a_missing_one(path: str, project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace('"micro"', f'"{path}"'))
    (problem,) = problems_of_bench(project)
    assert (problem.where.rpartition(".")[2], problem.code) == ("paths[0]", "bench-path-not-found")


def test_the_topmost_folder_and_one_named_like_a_pattern_are_paths(project: Path) -> None:
    (project / "[a]").mkdir()
    (project / "pyproject.toml").write_text(PROJECT.replace('"micro"', '"/", "[a]"'))
    assert resolve_bench([], folder=project).paths == ("/", "[a]")


def test_a_string_in_place_of_a_list_is_reported(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(PROJECT.replace('["micro"]', '"micro"').replace('["staging.example"]', '"staging.example"'))
    (problem,) = problems_of_bench(project)
    assert_found([problem], "pyproject.toml:8: tool.harness.bench.paths", "value-not-a-list", {"value": "micro"})
    problems = Problems()
    load_project(project, problems)
    with pytest.raises(ManyProblemsError) as raised:
        problems.raise_if_any()
    (problem,) = [found(each, project) for each in raised.value.problems]
    assert_found([problem], "pyproject.toml:5: tool.harness.allowed_hosts", "value-not-a-list", {})


def test_a_project_that_is_not_a_table_is_rejected(project: Path) -> None:
    (project / "pyproject.toml").write_text('project = "shop"\n')
    with pytest.raises(HarnessError) as raised:
        resolve_bench([], folder=project)
    assert_found([found(raised.value, project)], "pyproject.toml:1: project", "project-not-a-table", {})


def test_the_projects_secrets_are_redacted_in_what_is_written(project: Path) -> None:
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
    ("text", "where", "code"),
    [
        ("", "gates.toml", "gates-file-empty"),
        (
            "[[gate]]\nphase = 'steady'\nrequire = 'bench(\"x\").p95 < 1ms'\n",
            "gates.toml:2: gate[0].phase",
            "unknown-key",
        ),
    ],
)
def test_an_invalid_file_of_gates_is_rejected(tmp_path: Path, text: str, where: str, code: str) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(text)
    with pytest.raises(ManyProblemsError) as raised:
        requested_bench_gates([], file)
    assert_found([found(each, tmp_path) for each in raised.value.problems], where, code, {})


def test_a_folder_without_a_project_goes_by_its_name(tmp_path: Path) -> None:
    plan = resolve_bench([], folder=tmp_path)
    assert (plan.suite, plan.gates, plan.paths) == (tmp_path.name, (), ())


def test_runs_take_the_table_for_known(project: Path) -> None:
    problems = Problems()
    load_project(project, problems)
    assert not len(problems)


def test_every_problem_is_reported_with_its_line(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace("5us", "5").replace("paths", "path"))
    problems = problems_of_bench(project)
    assert_found(problems, "pyproject.toml:9: tool.harness.bench.gates[0]", "limit-without-unit", {"metric": "mean"})
    meant = {"word": "path", "alternatives": "paths"}
    assert_found(problems, "pyproject.toml:8: tool.harness.bench.path", "unknown-key", meant)


def test_a_wrong_gate_of_the_command_line_is_reported_with_its_option() -> None:
    with pytest.raises(ManyProblemsError) as raised:
        requested_bench_gates(["p95 < 3ms"], None, option=Option("require"))
    (problem,) = [found(each) for each in raised.value.problems]
    assert_found([problem], "--require", "requirement-without-benchmark", {"text": "p95 < 3ms"})
