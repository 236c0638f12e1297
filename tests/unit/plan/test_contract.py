"""``[contract]``: what it may say, and that what is wrong with its files is reported before any load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.checks import CHECKS
from tests.support.documents import blocks
from tests.unit.plan.support import assert_found, plan_of, plan_problems

STEADY = '[[phase]]\nkind = "steady"\nusers = 5\nduration = "5s"\n'
DOCUMENT: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": {}}
PACT: dict[str, Any] = {
    "consumer": {"name": "web"},
    "provider": {"name": "shop"},
    "interactions": [{"description": "a list", "request": {}, "response": {}}],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a document and a pact, in which the harness runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openapi.json").write_text(json.dumps(DOCUMENT))
    (tmp_path / "pacts").mkdir()
    (tmp_path / "pacts" / "web-shop.json").write_text(json.dumps(PACT))
    return tmp_path


def test_a_run_without_a_contract_has_none(folder: Path) -> None:
    assert plan_of(folder, "", STEADY).contract is None


def test_a_profile_states_a_document_and_pacts(folder: Path) -> None:
    profile = STEADY + '[contract]\nopenapi = "openapi.json"\npact = "pacts/*.json"\nprovider = "shop"\n'
    contract = plan_of(folder, "", profile).contract
    assert contract is not None
    assert (contract.openapi, contract.checks, contract.sample) == (str(folder / "openapi.json"), CHECKS, 0.05)
    assert (contract.pacts, contract.provider) == ((str(folder / "pacts" / "web-shop.json"),), "shop")


@pytest.mark.parametrize(("written", "share"), [('"10%"', 0.1), ("0.1", 0.1), ("1", 1.0), ('"0%"', 0.0)])
def test_a_share_is_written_in_per_cent_or_as_a_number(folder: Path, written: str, share: float) -> None:
    contract = plan_of(folder, "", f'{STEADY}[contract]\nopenapi = "openapi.json"\nsample = {written}\n').contract
    assert contract is not None
    assert contract.sample == share


def test_a_scenario_states_a_contract_and_a_profile_completes_it(folder: Path) -> None:
    scenario = "contract = {'openapi': 'openapi.json', 'checks': ['body']}\n"
    contract = plan_of(folder, scenario, f'{STEADY}[contract]\nsample = "50%"\n').contract
    assert contract is not None
    assert (contract.openapi, contract.checks, contract.sample) == (str(folder / "openapi.json"), ("body",), 0.5)


def test_the_project_s_contract_is_relative_to_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pyproject.toml").write_text('[tool.harness.contract]\nopenapi = "openapi.json"\n')
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    of_project = plan_of(folder, "", STEADY).contract
    of_profile = plan_of(folder, "", f'{STEADY}[contract]\nopenapi = "/openapi.json"\n').contract
    assert of_project is not None
    assert of_profile is not None
    assert (of_project.openapi, of_profile.openapi) == (str(folder / "openapi.json"), "/openapi.json")


@pytest.mark.parametrize("openapi", ["/openapi.json", "http://127.0.0.1:8000/openapi.json"])
def test_a_document_that_the_target_serves_is_not_looked_for_here(folder: Path, openapi: str) -> None:
    contract = plan_of(folder, "", f'{STEADY}[contract]\nopenapi = "{openapi}"\n').contract
    assert contract is not None
    assert contract.openapi == openapi


@pytest.mark.parametrize(
    ("written", "where", "code"),
    [
        ('openapi = "no.json"', "quick.toml:6: contract.openapi", "contract-file-unreadable"),
        ('openapi = "pacts"', "{folder}/pacts", "not-a-file"),
        ('openapi = "pacts/web-shop.json"', "{folder}/pacts/web-shop.json", "contract-not-openapi"),
        ("sample = 2", "quick.toml:6: contract.sample", "contract-sample-invalid"),
        ('sample = "some"', "quick.toml:6: contract.sample", "contract-sample-invalid"),
        ('openapi = "http://[::1/openapi.json"', "quick.toml:6: contract.openapi", "url-invalid"),
        ('openapi = "file:///etc/passwd"', "quick.toml:6: contract.openapi", "url-invalid"),
        ('openapi = "\\u0000"', "quick.toml:6: contract.openapi", "contract-file-unreadable"),
        (f'pact = "{"x" * 5000}"', "quick.toml:6: contract.pact", "pact-not-found"),
        ('pact = "\\u0000"', "quick.toml:6: contract.pact", "pact-not-found"),
        ('openapi = "/openapi.json"\nchecks = []', "quick.toml:7: contract.checks", "contract-checks-empty"),
        ('checks = ["bodies"]', "quick.toml:6: contract.checks[0]", "contract-check-unknown"),
        ('opnapi = "openapi.json"', "quick.toml:6: contract.opnapi", "unknown-key"),
        ("openapi = 3", "quick.toml:6: contract.openapi", "value-of-wrong-type"),
        ("", "quick.toml:5: contract", "contract-empty"),
        ('pact = "nothing/*.json"', "quick.toml:6: contract.pact", "pact-not-found"),
        ('pact = "openapi.json"', "{folder}/openapi.json", "pact-invalid"),
        ('pact = "pacts"\nprovider = "other"', "{folder}/pacts/web-shop.json", "pact-of-other-provider"),
        (
            'openapi = "openapi.json"\nprovider_states_url = "x"',
            "quick.toml:7: contract.provider_states_url",
            "url-invalid",
        ),
    ],
)
def test_what_is_wrong_is_reported_with_its_place(folder: Path, written: str, where: str, code: str) -> None:
    problems = plan_problems(folder, "", f"{STEADY}[contract]\n{written}\n")
    assert_found(problems, where.replace("{folder}/", ""), code, {})


def test_all_that_is_wrong_with_the_files_is_reported_at_once(folder: Path) -> None:
    broken = {**DOCUMENT, "paths": {"/a": {"$ref": "#/no"}, "/b": {"$ref": "http://x"}}}
    (folder / "openapi.json").write_text(json.dumps(broken))
    profile = f'{STEADY}[contract]\nopenapi = "openapi.json"\npact = "no"\n'
    codes = sorted(problem.code for problem in plan_problems(folder, "", profile))
    assert codes == ["contract-ref-missing", "contract-ref-outside", "pact-not-found"]


@pytest.mark.parametrize("example", blocks("docs/contracts.md", "toml"))
def test_the_examples_of_the_documentation_are_valid(folder: Path, example: str) -> None:
    plan = plan_of(folder, "contract = {'openapi': 'openapi.json'}\n", STEADY + example)
    assert plan.contract is not None


@pytest.mark.parametrize("missing", ["jsonschema_rs", "yaml"])
def test_missing_packages_are_reported(folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    (folder / "api.yaml").write_text("openapi: 3.1.0\npaths: {}\n")
    (folder / f"{missing}.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(folder))  # a process of its own imports it
    problems = plan_problems(folder, "", f'{STEADY}[contract]\nopenapi = "api.yaml"\n')
    assert [problem.code for problem in problems] == ["contracts-not-installed"]
