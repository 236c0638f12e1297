"""What a contract does to the verdict, the figures and the report of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.record.contract_checks import GivenUp
from harness.record.run_folder import RunFolder
from harness.report.exporters.markdown import summary_markdown
from tests.support.contract_checks import breach, responses, second, write_checks
from tests.support.judged import judge
from tests.support.plans import gate, steady
from tests.support.recordings import record_run

ENDPOINTS = {"GET /products": 0.5, "GET /products/{id}": 0.5}


def recorded(parent: Path, *gates: Any) -> RunFolder:
    return record_run(
        parent, phases=[steady(seconds=5), steady(seconds=5, name="later")], gates=gates, endpoints=ENDPOINTS
    )


def results(folder: RunFolder) -> list[tuple[str, str, str]]:
    return [(one.require, one.status, one.code) for one in judge(folder).gates]


def test_a_run_without_a_contract_does_not_mention_one(tmp_path: Path) -> None:
    summary = judge(recorded(tmp_path, "p95 < 10s"))
    assert (summary.contract, [one.require for one in summary.gates]) == (None, ["p95 < 10s"] * 2)
    assert "Contract" not in summary_markdown(summary)


def test_responses_that_keep_the_document_pass(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "p95 < 10s")
    write_checks(folder, second([responses()], is_last=False), second([responses(1)]))
    assert results(folder)[-1] == ("contract", "pass", "contract-held")
    assert judge(folder).exit_code == 0


def test_one_breach_fails_the_run(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "p95 < 10s")
    write_checks(folder, second([responses(1, 1, checked=50, breached=2)], [breach(1, 1, seen=2)]))
    summary = judge(folder)
    (result,) = (one for one in summary.gates if one.require == "contract")
    assert (result.status, result.code, result.observed, result.limit) == ("fail", "contract-broken", 2, 0)
    assert (result.params["checked"], result.params["path"]) == (50, "body.price")
    assert summary.exit_code == 1
    (explanation,) = summary.explanations
    assert [cause.what.code for cause in explanation.causes] == ["cause-contract"]


def test_responses_of_no_operation_prove_nothing(tmp_path: Path) -> None:
    """As if the base path were wrong, and `operation` not among the checks."""
    folder = recorded(tmp_path, "p95 < 10s", gate("contract_breaches <= 0", "later"))
    write_checks(folder, second([responses(1, 1, operation="", documented="")]))
    summary = judge(folder)
    assert "contract-matches-nothing" in [notice.code for notice in summary.notices]
    (result,) = (one for one in summary.gates if "contract" in one.require)
    assert (result.status, result.code) == ("inconclusive", "contract-matches-nothing")


def test_a_breach_is_reported_once(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "p95 < 10s", gate("contract_breaches <= 0", "later"))
    found = [breach(1, 1, seen=9, path="body.price"), breach(1, 1, seen=1, path="body.rare", value="7")]
    counts = [responses(1, 1, checked=50, breached=9)]
    write_checks(folder, second(counts, [*found, *(breach(1, 1, path=f"body.p{number}") for number in range(3))]))
    text = summary_markdown(judge(folder))
    assert [text.count(path) for path in ("body.price", "body.rare", "body.p0", "body.p2")] == [1, 1, 1, 1]
    assert text.count('"dear"') == 4  # all values, also of those that no cause has room for


@pytest.mark.parametrize("why", ["time", "memory", "crash"])
def test_an_operation_that_could_not_be_checked_is_named(tmp_path: Path, why: Any) -> None:
    folder = recorded(tmp_path, "p95 < 10s")
    given_up = [GivenUp("GET /products", 200, why, 2)]
    write_checks(
        folder, second([responses()], is_last=False), replace(second([responses()], limit=9), given_up=given_up)
    )
    summary = judge(folder)
    (result,) = (one for one in summary.gates if one.require == "contract")
    assert (result.status, result.code) == ("inconclusive", "contract-checks-given-up")
    assert result.params == {"checked": 20, "operations": ["GET /products"]}
    (warning,) = (notice for notice in summary.notices if notice.code.startswith("contract-check-"))
    assert warning.params == {"operation": "GET /products", "status": 200}
    assert summary.contract is not None
    assert (summary.contract.skipped, summary.contract.given_up[0].count) == ({"limit": 9}, 2)


@pytest.mark.parametrize(
    ("unchecked", "code"),
    [
        (second(is_last=False), "contract-checks-cut-short"),
        (replace(second(), given_up=[GivenUp("GET /products", 200, "time", 2)]), "contract-checks-given-up"),
        (second(pattern=1), "contract-pattern-too-slow"),
    ],
)
def test_no_gate_passes_if_some_checks_could_not_be_made(tmp_path: Path, unchecked: Any, code: str) -> None:
    folder = recorded(tmp_path / "built-in", "p95 < 10s")
    write_checks(folder, replace(unchecked, responses=[responses()]))
    assert results(folder)[-1] == ("contract", "inconclusive", code)
    folder = recorded(tmp_path / "own", *(gate("contract_breaches <= 0", phase) for phase in ("steady", "later")))
    write_checks(folder, replace(unchecked, responses=[responses(), responses(1, breached=2)]))
    own, failed = judge(folder).gates
    assert (own.status, own.code, own.params.get("checked", 18)) == ("inconclusive", code, 18)
    assert (failed.status, failed.code) == ("fail", "gate-over-limit")


@pytest.mark.parametrize("seconds", [[], [second()], [second([responses()], is_last=False)]])
def test_checks_that_were_cut_short_do_not_pass(tmp_path: Path, seconds: list[Any]) -> None:
    folder = recorded(tmp_path, "p95 < 10s")
    write_checks(folder, *seconds)
    status, code = results(folder)[-1][1:]
    assert status == "inconclusive"
    assert code == ("contract-checks-cut-short" if seconds and seconds[0].responses else "contract-not-checked")


def test_a_checker_that_never_began_does_not_pass(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    write_checks(folder, document=None)
    assert results(folder)[-1] == ("contract", "inconclusive", "contract-not-checked")


def test_a_gate_says_how_many_breaches_there_may_be_and_where(tmp_path: Path) -> None:
    folder = recorded(
        tmp_path,
        gate("contract_breaches <= 0", "steady"),
        gate("contract_breaches <= 0", "later"),
        gate("contract_breaches <= 2", "later", "GET /products/{id}"),
        gate("contract_breaches <= 0", "later", "GET /products"),
    )
    counts = [responses(0, 1), responses(1, 0), responses(1, 1, breached=2)]
    write_checks(folder, second(counts, [breach(1, 1, seen=2)]))
    found = [(one.phase, one.endpoint, one.status, one.observed) for one in judge(folder).gates]
    assert found == [
        ("steady", None, "pass", 0),
        ("later", None, "fail", 2),
        ("later", "GET /products/{id}", "pass", 2),
        ("later", "GET /products", "pass", 0),
    ]


def test_a_gate_on_breaches_takes_a_contract_and_checked_responses(tmp_path: Path) -> None:
    folder = recorded(tmp_path, gate("contract_breaches <= 0", "steady"))
    assert results(folder) == [("contract_breaches <= 0", "inconclusive", "gate-contract-off")]
    write_checks(folder, second([responses(1)]))
    assert results(folder) == [("contract_breaches <= 0", "inconclusive", "gate-not-checked")]


def test_the_coverage_is_that_of_the_document(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    counts = [
        responses(0, 1, checked=7),
        responses(1, 1, checked=3, status=404, documented="404"),
        responses(0, 0, checked=2, operation="GET /products", status=500, documented=""),
        responses(0, 0, checked=5, operation="", documented=""),
    ]
    write_checks(folder, second(counts, rate=3), second([responses(0, 1, checked=1)], rate=1, size=2))
    contract = judge(folder).contract
    assert contract is not None
    assert [(one.operation, one.statuses, one.missing) for one in contract.operations] == [
        ("GET /products", {"500": 2}, ["200", "422"]),
        ("GET /products/{id}", {"200": 8, "404": 3}, []),
        ("POST /orders", {}, ["201"]),
    ]
    assert (contract.checked, contract.skipped, len(contract.seen)) == (18, {"rate": 4, "size": 2}, 2)


def test_breaches_of_one_kind_are_added_up(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    found = [breach(0, 1, seen=2), breach(1, 0, seen=3, value=""), breach(0, 1, "body.name", seen=9, value="")]
    write_checks(folder, second([responses(checked=20, breached=14)], found))
    contract = judge(folder).contract
    assert contract is not None
    name, price = contract.breaches
    assert (name.path, name.count, name.value) == ("body.name", 9, "")
    assert (price.count, price.value, price.phases) == (5, '"dear"', ["steady", "later"])
    assert price.endpoints == ["GET /products/{id}", "GET /products"]


def test_frames_of_phases_and_endpoints_that_there_are_not_are_left_out(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    write_checks(folder, second([responses(9, 9, breached=1)], [breach(9, 0), breach(0, 9)]))
    contract = judge(folder).contract
    assert contract is not None
    assert (contract.checked, contract.breaches) == (0, [])


def test_the_report_shows_breaches_and_what_is_not_covered(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    write_checks(folder, second([responses(0, 1, breached=1)], [breach(0, 1)], checker=4))
    text = summary_markdown(judge(folder))
    for part in ("### Contract", "body.price", "POST /orders", "1 of 3 operations"):
        assert part in text


def test_pacts_that_were_verified_are_a_line_of_the_gates(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    plan = json.loads(folder.plan.read_text())
    folder.plan.write_text(json.dumps(plan | {"contract": {"pacts": ["/work/pact.json"]}}))
    interaction = {"consumer": "web", "provider": "shop", "description": "a list", "held": True}
    verified = {"url": "http://127.0.0.1", "pacts": ["/work/pact.json"], "interactions": [interaction]}
    folder.pact.write_text(json.dumps(verified))
    assert results(folder) == [("pact", "pass", "pacts-held")]
