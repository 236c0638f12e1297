"""The workflows and the script that they call are valid and pinned, and every command in them exists."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from harness.plan.profile import load_profile
from tests.support.command import REPOSITORY
from tests.support.requirements import require_program
from tests.support.shell_commands import commands, parse

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
CI = REPOSITORY / ".github" / "workflows" / "ci.yml"
PERFORMANCE = [path for path in WORKFLOWS if path != CI]
SMOKE = REPOSITORY / ".github" / "workflows" / "smoke.yml"
MARKER = "<!-- harness flash_sale smoke -->"
SCRIPT = "scripts/performance"
DOCUMENT = REPOSITORY / "docs" / "ci.md"
VALUES = {
    "scenario": "scenarios/flash_sale.py",
    "profile": "nightly",
    "BASELINE_RUNS": "10",
    "inconclusive": "warn",
    "out": "reports",
    "run": "latest",
}


def read(workflow: Path) -> Any:
    return YAML(typ="safe").load(workflow.read_text())


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in read(workflow)["jobs"].values():
        yield from job["steps"]


def parts_of(document: Path, language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL))


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "vendor.gitlab-ci"])
def test_the_workflows_are_valid(schema: str, tmp_path: Path) -> None:
    """GitHub's are files, GitLab's is an example in the document."""
    files = list(map(str, WORKFLOWS))
    if schema == "vendor.gitlab-ci":
        (tmp_path / ".gitlab-ci.yml").write_text(parts_of(DOCUMENT, "yaml"))
        files = [str(tmp_path / ".gitlab-ci.yml")]
    call = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files]
    checked = subprocess.run(call, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_runs_once_and_knows_its_actions_by_commit(workflow: Path) -> None:
    written = read(workflow)
    assert written["permissions"] == {"contents": "read"}
    assert "group" in written["concurrency"]
    assert all(job["timeout-minutes"] <= 45 for job in written["jobs"].values())
    for step in steps(workflow):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", f"a/b@{'0' * 40}")), step


def test_the_token_that_may_write_is_not_near_the_pull_requests_code() -> None:
    jobs = read(SMOKE)["jobs"]
    writing = [job for job in jobs.values() if "write" in str(job.get("permissions", ""))]
    assert writing == [jobs["comment"]]
    assert not any("checkout" in step.get("uses", "") for step in jobs["comment"]["steps"])
    assert jobs["smoke"]["steps"][0]["with"]["persist-credentials"] is False


def put_below_the_pull_request(folder: Path, comment: str, pages: list[list[dict[str, Any]]]) -> tuple[int, str]:
    """The exit code of the step that comments, and how it calls ``gh`` after it has read the ``pages`` of comments."""
    jq, bash = Path(require_program("jq", "jq")).parent, require_program("bash", "bash")
    (folder / "performance").mkdir()
    (folder / "performance" / "comment.md").write_text(comment)
    (folder / "pages").write_text("\n".join(map(json.dumps, pages)))
    (folder / "gh").write_text('#!/bin/sh\nif [ "$2" = --paginate ]; then cat pages; else echo "$@" >calls; fi\n')
    (folder / "gh").chmod(0o755)
    (step,) = [step for step in steps(SMOKE) if step.get("name") == "Comment"]
    assert step["shell"] == "bash"
    done = subprocess.run(
        [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],  # as GitHub calls it
        cwd=folder,
        env={"PATH": f"{folder}:{jq}:/usr/bin:/bin", "REPOSITORY": "me/shop", "NUMBER": "7"},
        capture_output=True,
    )
    calls = folder / "calls"
    return done.returncode, calls.read_text() if calls.exists() else ""


@pytest.mark.parametrize(
    ("login", "body", "call"),
    [
        (
            "github-actions[bot]",
            f"{MARKER}\nof an earlier push",
            "api --silent --method PATCH repos/me/shop/issues/comments/11 ",
        ),
        ("other[bot]", f"{MARKER}\nanother program's", "pr comment 7 "),
        ("github-actions[bot]", "<!-- harness flash_sale nightly -->", "pr comment 7 "),
    ],
)
def test_a_comment_takes_the_place_of_its_own_earlier_one_alone(
    login: str, body: str, call: str, tmp_path: Path
) -> None:
    comments = [{"id": number, "user": {"login": login, "type": "Bot"}, "body": body} for number in (11, 12)]
    code, called = put_below_the_pull_request(tmp_path, f"{MARKER}\n\n**pass**\n", [[], comments[:1], comments[1:]])
    assert (code, called.startswith(call)) == (0, True), called


def test_a_comment_that_harness_has_not_written_is_not_put_anywhere(tmp_path: Path) -> None:
    assert put_below_the_pull_request(tmp_path, "\n<!-- harness flash_sale smoke -->\n", []) == (1, "")


def test_where_the_set_up_failed_there_is_no_comment_and_the_job_that_comments_passes() -> None:
    (download,) = [step for step in steps(SMOKE) if "download-artifact" in step.get("uses", "")]
    assert download["continue-on-error"] is True


def test_the_extras_that_are_installed_exist() -> None:
    known = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    texts = "\n".join(path.read_text() for path in (*WORKFLOWS, DOCUMENT, REPOSITORY / "README.md"))
    assert set(re.findall(r"--extra ([\w-]+)", texts)) <= set(known)


def test_where_run_folders_are_copied_to_s3_its_package_is_installed_and_its_credentials_are_given() -> None:
    night = {step.get("name"): step for step in steps(REPOSITORY / ".github" / "workflows" / "nightly.yml")}
    install = night["Set up"]["run"].splitlines()[1]
    for place, extra in (("", ""), ("s3://runs/harness", "--extra s3")):
        reported = subprocess.run(
            ["sh", "-c", f"echo {install}"],
            env={"HARNESS_ARTIFACTS": place},
            capture_output=True,
            text=True,
            check=True,
        )
        assert reported.stdout.split() == f"uv sync --no-dev --extra postgresql {extra}".split()
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"} == set(night["Run"]["env"])


def test_what_people_wrote_is_never_part_of_a_script() -> None:
    for workflow in WORKFLOWS:
        for step in steps(workflow):
            assert "${{" not in step.get("run", ""), step


def test_every_script_of_a_step_is_one() -> None:
    for workflow in WORKFLOWS:
        for step in steps(workflow):
            read_only = subprocess.run(["bash", "-n"], input=step.get("run", ""), capture_output=True, text=True)
            assert (read_only.returncode, read_only.stderr) == (0, ""), step


def test_a_pull_request_runs_smoke_and_the_night_runs_nightly() -> None:
    profiles = {}
    for workflow in PERFORMANCE:
        shell = "\n".join(step.get("run", "") for step in steps(workflow))
        (arguments,) = commands(shell, SCRIPT)
        profiles[workflow.stem] = arguments[1]
        parse(["run", arguments[0], "--profile", *arguments[1:]])
        assert (REPOSITORY / arguments[0]).is_file()
        load_profile(arguments[1], scenario=arguments[0])
    assert profiles == {"smoke": "smoke", "nightly": "nightly"}
    assert os.access(REPOSITORY / SCRIPT, os.X_OK)


def test_every_change_passes_ci_on_every_python_that_the_project_names() -> None:
    written = read(CI)
    assert {"push", "pull_request"} == set(written["on"])
    (job,) = written["jobs"].values()
    classifiers = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["classifiers"]
    named = [found[1] for text in classifiers if (found := re.fullmatch(r".*Python :: (3\.\d+)", text))]
    assert job["strategy"]["matrix"]["python"] == named
    assert job["env"]["UV_PYTHON"] == "${{ matrix.python }}"
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ((REPOSITORY / SCRIPT).read_text(), ["run", "baseline set", "prune"]),
        (parts_of(DOCUMENT, "sh"), ["prune", "baseline set", "report", "gate"]),
    ],
    ids=["script", "docs/ci.md"],
)
def test_every_command_is_one_that_harness_has(shell: str, expected: list[str]) -> None:
    found = list(commands(shell, "harness", VALUES))
    for arguments in found:
        parse(arguments)
    called = {" ".join(arguments[: 2 if arguments[0] == "baseline" else 1]) for arguments in found}
    assert called >= set(expected)


def test_the_documents_calls_of_the_script_are_runs() -> None:
    calls = list(commands(parts_of(DOCUMENT, "sh"), SCRIPT))
    assert calls
    for arguments in calls:
        parse(["run", arguments[0], "--profile", *arguments[1:]])
        assert (REPOSITORY / arguments[0]).is_file()


def test_a_wrong_option_would_be_found() -> None:
    (arguments,) = commands("A=1 uv run --no-sync harness run x.py --profle smoke || code=$?", "harness")
    with pytest.raises(click.UsageError, match="--profle"):
        parse(arguments)
