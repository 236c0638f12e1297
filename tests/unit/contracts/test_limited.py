"""Documents and responses that would hang, exhaust or crash a validator cost only their own checks."""

from __future__ import annotations

import threading

import pytest

from harness.contracts import limited as limited_checks
from harness.contracts.checks import Checked, Contract
from harness.contracts.limited import MOST_GIVEN_UP, LimitedContract
from harness.record.sampled_responses import SampledResponse
from tests.unit.contracts.support import Json, document, response

A = {"$ref": "#/components/schemas/A"}


def doubled(word: str) -> Json:
    """Twice the work for each level of the value."""
    below = {"type": "object", "properties": {"a": A}, "required": ["a"]}
    return {word: [below, {**below, "minProperties": 1}]}


def deep(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def contract_of(schema: Json) -> Contract:
    def promised(schema: Json) -> Json:
        content = {"application/json": {"schema": schema}}
        return {"get": {"responses": {"200": {"description": "", "content": content}}}}

    paths = {"/things": promised(A), "/others": promised({"type": "object", "required": ["b"]})}
    return Contract(document(paths, components={"schemas": {"A": schema}}))


ALL = {"allOf": [{"properties": {"a": A}}, {"properties": {"a": A}, "minProperties": 0}]}
HOSTILE = {"time": ALL, "memory": doubled("anyOf")}


@pytest.mark.slow
@pytest.mark.parametrize(("why", "cpu_s", "memory"), [("time", 0.1, 1 << 30), ("memory", 20.0, 32 << 20)])
def test_a_check_without_end_is_given_up_and_others_go_on(
    why: str, cpu_s: float, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_checks, "CPU_S", cpu_s)
    monkeypatch.setattr(limited_checks, "MEMORY", memory)
    schema, value = HOSTILE[why], deep(60)
    limited = LimitedContract(contract_of(schema))
    try:
        hostile, other = response(value), response({}, path="/others")
        found = limited.check([other, hostile, other, *[hostile] * MOST_GIVEN_UP, other])
        again = limited.check([hostile, other])
    finally:
        limited.close()
    assert [one.given_up for one in found] == ["", why, "", why, why, "", ""]
    assert [[breach.rule for breach in one.breaches] for one in found if not one.skipped] == [["required"]] * 3
    assert [str(one.operation) for one in found[:2]] == ["GET /others", "GET /things"]
    assert [(one.skipped, one.given_up) for one in again] == [("limit", ""), ("", "")]  # not tried any more


def test_a_check_that_waits_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limited_checks, "STUCK_S", 0.2)
    contract = contract_of({"type": "object"})
    monkeypatch.setattr(contract, "check", lambda _: threading.Event().wait())
    limited = LimitedContract(contract)
    try:
        (found,) = limited.check([response({})])
    finally:
        limited.close()
    assert (found.skipped, found.given_up) == ("limit", "time")


def test_a_check_that_raises_is_given_up_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = contract_of({"type": "object"})
    check = contract.check

    def raising(sampled: SampledResponse) -> Checked:
        if sampled.status == 500:
            raise RuntimeError
        return check(sampled)

    monkeypatch.setattr(contract, "check", raising)
    limited = LimitedContract(contract)
    try:
        found = limited.check([response({}), response({}, status=500), response({})])
    finally:
        limited.close()
    assert [(one.skipped, one.given_up) for one in found] == [("", ""), ("limit", "crash"), ("", "")]
