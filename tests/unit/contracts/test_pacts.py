"""Pact files as they are found and read; verification is tested against a real provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.contracts.pacts import find_pacts, read_pacts, states_not_set_up
from harness.errors import HarnessError

INTERACTION = {"description": "a list", "request": {"method": "GET", "path": "/"}, "response": {"status": 200}}


def pact(folder: Path, name: str = "pact.json", *, provider: str = "shop", **more: Any) -> Path:
    data = {"consumer": {"name": "web"}, "provider": {"name": provider}, "interactions": [INTERACTION], **more}
    path = folder / name
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not None}))
    return path


def problem(path: Path, provider: str | None = None) -> tuple[str, str | None]:
    with pytest.raises(HarnessError) as raised:
        read_pacts([path], provider)
    assert raised.value.exit_code == 2
    return raised.value.code, raised.value.where


def test_pacts_are_named_by_file_folder_or_pattern(tmp_path: Path) -> None:
    (tmp_path / "pacts" / "old").mkdir(parents=True)
    a, b = pact(tmp_path / "pacts", "a.json"), pact(tmp_path / "pacts", "b.json")
    c = pact(tmp_path / "pacts" / "old", "c.json")
    assert find_pacts(["pacts"], tmp_path, None) == [a, b]
    assert find_pacts(["pacts/a.json", str(b), "pacts/*.json"], tmp_path, None) == [a, b]
    assert find_pacts(["pacts/**/*.json"], tmp_path, None) == [a, b, c]
    (tmp_path / "folder.json").mkdir()
    for path in (Path("/dev/zero"), tmp_path / "folder.json"):
        with pytest.raises(HarnessError, check=lambda error: error.code == "pact-not-a-file"):
            read_pacts([path], None)
    (odd := tmp_path / "v[2]").mkdir()
    named = pact(odd, "web[1].json")
    assert find_pacts(["v[2]"], tmp_path, None) == find_pacts(["v[2]/web[1].json"], tmp_path, None) == [named]
    with pytest.raises(HarnessError) as raised:
        find_pacts(["pacts", "no/*.json"], tmp_path, "PACT")
    assert (raised.value.code, raised.value.where) == ("pact-not-found", "PACT")
    assert raised.value.params["pattern"] == "no/*.json"


def test_a_key_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    path = pact(tmp_path)
    path.write_text(path.read_text().replace('"status": 200', '"status": 200, "status": 404'))
    assert problem(path) == ("key-twice", f"{path}: interactions.0.response")


@pytest.mark.parametrize(
    ("states", "known"),
    [
        ({"providerState": "a user"}, {"a user"}),
        ({"providerStates": [{"name": "a user"}, {"name": "an order", "params": {"id": 1}}]}, {"a user", "an order"}),
        ({"provider_state": "a user"}, {"a user"}),
        ({}, set()),
    ],
)
def test_states_of_all_versions_are_known(tmp_path: Path, states: dict[str, Any], known: set[str]) -> None:
    (read,) = read_pacts([pact(tmp_path, interactions=[INTERACTION | states])], None)
    assert (read.consumer, read.provider, read.interactions, {*read.states}) == ("web", "shop", 1, known)
    note = states_not_set_up([read], None)
    assert (note and note.code) == ("pact-states-not-set-up" if known else None)
    assert states_not_set_up([read], "http://127.0.0.1/states") is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"provider": None}, "pact-invalid"),
        ({"consumer": {}}, "pact-invalid"),
        ({"interactions": None}, "pact-invalid"),
        ({"interactions": [3]}, "pact-invalid"),
        ({"interactions": []}, "pact-empty"),
        ({"metadata": {"pactSpecification": {"version": "5.0"}}}, "pact-version-unsupported"),
        ({"interactions": [INTERACTION, {"type": "Asynchronous/Messages"}]}, "pact-with-messages"),
        ({"interactions": None, "messages": [{"description": "an event"}]}, "pact-with-messages"),
    ],
)
def test_anything_but_a_pact_over_http_is_an_error(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    path = pact(tmp_path, **changes)
    assert problem(path) == (code, str(path))


@pytest.mark.parametrize("status", ["200", True, -1, 0, 99_999])
def test_a_status_that_is_none_is_an_error(tmp_path: Path, status: object) -> None:
    path = pact(tmp_path, interactions=[INTERACTION | {"response": {"status": status}}])
    assert problem(path) == ("pact-status-invalid", f"{path}: interactions[0]")


@pytest.mark.parametrize("key", ["request", "response"])
def test_an_interaction_without_request_or_response_does_not_hold(tmp_path: Path, key: str) -> None:
    path = pact(tmp_path, interactions=[INTERACTION, INTERACTION | {key: None}])
    assert problem(path) == ("pact-interaction-invalid", f"{path}: interactions[1]")


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0", "3.0.0", "4.0"])
def test_versions_1_to_4_are_read(tmp_path: Path, version: str) -> None:
    assert read_pacts([pact(tmp_path, metadata={"pactSpecification": {"version": version}})], None)


def test_a_broken_file_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "pact.json").write_text('{"consumer":\n {"name": }}')
    assert problem(tmp_path / "pact.json") == ("invalid-json", f"{tmp_path / 'pact.json'}:2")


def test_pacts_are_of_one_provider(tmp_path: Path) -> None:
    shop, bank = pact(tmp_path, "a.json"), pact(tmp_path, "b.json", provider="bank")
    assert problem(bank, "shop") == ("pact-of-other-provider", str(bank))
    with pytest.raises(HarnessError) as raised:
        read_pacts([shop, bank], None)
    assert (raised.value.code, raised.value.where) == ("pacts-of-several-providers", str(bank))
