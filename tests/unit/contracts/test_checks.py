"""What is found in a response: the check, the place, the keyword; and what is no breach."""

from __future__ import annotations

import time
from typing import Any

import pytest

from harness.contracts.checks import CHECKS, Contract
from harness.contracts.document import Document
from harness.record.redaction import REDACTED
from tests.unit.contracts.support import checked, document, found, promising, response

ITEM: Any = {
    "type": "object",
    "required": ["id", "tags"],
    "properties": {
        "id": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
    "additionalProperties": False,
}
BOTH = pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])


@BOTH
@pytest.mark.parametrize(
    ("body", "breaches"),
    [
        ({"id": 1, "tags": [{"name": "a"}]}, []),
        ({"id": "1", "tags": []}, [("body", "body.id", "type")]),
        ({"tags": []}, [("body", "body.id", "required")]),
        ({"id": 1, "tags": [{"name": "a"}, {}, {}]}, [("body", "body.tags[].name", "required")] * 2),
        ({"id": 1, "tags": [], "more": 1}, [("body", "body.more", "additionalProperties")]),
        ([], [("body", "body", "type")]),
        (None, [("body", "body", "type")]),
    ],
)
def test_the_place_of_a_breach_is_named(version: str, body: Any, breaches: list[tuple[str, str, str]]) -> None:
    assert found(promising(ITEM, version=version), response(body)) == breaches


@BOTH
def test_schemas_may_be_recursive(version: str) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "n": {"type": "integer"}}}
    tree = promising({"$ref": "#/components/schemas/Node"}, version=version, components={"Node": node})
    assert found(tree, response({"next": {"next": {"n": 1}}})) == []
    assert found(tree, response({"next": {"next": {"n": "1"}}})) == [("body", "body.next.next.n", "type")]


@pytest.mark.parametrize(
    ("schema", "allowed"),
    [
        ({"type": "string", "nullable": True}, True),
        ({"type": "string"}, False),
        ({"type": "string", "nullable": True, "enum": ["a"]}, True),
        ({"nullable": True, "allOf": [{"$ref": "#/components/schemas/Text"}]}, True),
        ({"nullable": True, "anyOf": [{"type": "string"}]}, True),
        ({"nullable": False, "type": "string"}, False),
    ],
)
def test_nullable_of_3_0_allows_null(schema: Any, allowed: bool) -> None:
    against = promising(schema, version="3.0.0", components={"Text": {"type": "string"}})
    assert (found(against, response(None)) == []) == allowed
    assert found(against, response("a")) == []
    assert found(against, response(1)) != []


def test_exclusive_limits_are_those_of_the_version() -> None:
    old = promising({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, version="3.0.0")
    new = promising({"type": "integer", "exclusiveMinimum": 3})
    for against in (old, new):
        assert found(against, response(4)) == []
        assert len(found(against, response(3))) == 1


@BOTH
def test_what_is_write_only_is_neither_required_nor_allowed_in_a_response(version: str) -> None:
    secret = {"type": "string", "writeOnly": True}
    for properties in ({"id": {}, "password": secret}, {"id": {}, "password": {"$ref": "#/components/schemas/Secret"}}):
        schema = {"type": "object", "required": ["id", "password"], "properties": properties}
        against = promising(schema, version=version, components={"Secret": secret})
        assert found(against, response({"id": 1})) == []
        leaked = checked(against, response({"id": 1, "password": "geheim"})).breaches
        assert [(one.path, one.rule, one.value) for one in leaked] == [("body.password", "writeOnly", REDACTED)]


def test_a_choice_says_where_none_fits() -> None:
    against = promising({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}})
    assert found(against, response({"a": None})) == []
    assert found(against, response({"a": 5})) == [("body", "body.a", "anyOf")]


def test_formats_are_a_check_of_their_own() -> None:
    against = promising({"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}})
    assert found(against, response({"at": "2026-11-29T12:00:00Z"})) == []
    assert found(against, response({"at": "yesterday"})) == [("format", "body.at", "format")]
    assert found(against, response({"at": "yesterday"}), *(check for check in CHECKS if check != "format")) == []


@BOTH
@pytest.mark.parametrize("name", ["date", "uuid", "uri-reference", "duration", "json-pointer"])
def test_each_version_checks_the_same_formats(version: str, name: str) -> None:
    against = promising({"type": "string", "format": name}, version=version)
    assert found(against, response("\\ ")) == [("format", "body", "format")]


def test_breaches_that_are_not_checked_do_not_hide_formats() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    times = {"type": "string", "format": "date-time"}
    against = promising({"type": "object", "properties": {"a": numbers, "at": times}})
    body = {"a": ["no number"] * 50, "at": "yesterday"}
    assert found(against, response(body), "format") == [("format", "body.at", "format")]


@BOTH
@pytest.mark.parametrize("choice", ["anyOf", "oneOf"])
def test_a_format_in_a_choice_is_checked_as_a_format(version: str, choice: str) -> None:
    times, no_text = {"type": "string", "format": "date-time"}, {"type": "integer"}
    against = promising({choice: [{choice: [times, no_text]}, no_text]}, version=version)
    others = [check for check in CHECKS if check != "format"]
    for body, breach in (("yesterday", "format"), ([], "body"), (1.5, "body")):
        assert found(against, response(body)) == [(breach, "body", choice)]
        assert (found(against, response(body), "format") != []) == (breach == "format")
        assert (found(against, response(body), *others) != []) == (breach == "body")


def test_a_header_that_lists_values_has_their_formats_checked() -> None:
    schema = {"type": "array", "items": {"type": "string", "format": "date"}}
    against = promising({}, headers={"Days": {"schema": schema}})
    days = response({}, headers={"Days": "2026-01-01, tomorrow"})
    assert found(against, days, "format") == [("format", "header Days[]", "format")]


def test_formats_that_are_not_checked_do_not_hide_other_breaches() -> None:
    against = promising({"type": "array", "items": {"type": "string", "format": "uuid"}})
    others = (check for check in CHECKS if check != "format")
    assert found(against, response([*["no uuid"] * 50, 5]), *others) == [("body", "body[]", "type")]


@pytest.mark.parametrize(
    ("sampled", "breach"),
    [
        (response({}, path="/others"), ("operation", "request", "missing")),
        (response({}, method="DELETE"), ("operation", "request", "missing")),
        (response({}, status=500), ("status", "status", "missing")),
        (response({}, content_type="text/html"), ("content-type", "header Content-Type", "missing")),
        (response({}, content_type=None), ("content-type", "header Content-Type", "missing")),
        (response(raw=b"", content_type=None), ("body", "body", "required")),
        (response(raw=b""), ("body", "body", "json")),
        (response(raw=b"{"), ("body", "body", "json")),
        (response(raw=b"\xff\xfe"), ("body", "body", "json")),
        (response(raw=b"[" * 100_000), ("body", "body", "json")),
    ],
)
def test_what_the_document_does_not_have_is_a_breach(sampled: Any, breach: tuple[str, str, str]) -> None:
    against = promising({"type": ["object", "array"], "items": {"type": "number"}})
    assert found(against, sampled) == [breach]
    assert found(against, sampled, *(check for check in CHECKS if check != breach[0])) == []


@pytest.mark.parametrize(
    "sampled",
    [
        response(5, method="HEAD"),
        response(raw=b"", method="HEAD", content_type=None),
        response("a", content_type="application/json; charset=utf-8"),
        response("a", content_type="APPLICATION/JSON"),
        response("a")._replace(body=None),
    ],
)
def test_what_is_not_a_breach(sampled: Any) -> None:
    assert found(promising({"type": "string"}), sampled) == []


def test_a_media_type_is_described_by_itself_or_its_range() -> None:
    content = {
        "application/problem+json": {"schema": {"type": "integer"}},
        "application/*": {"schema": {"type": "string"}},
        "text/*": {"schema": {"type": "string", "maxLength": 3}},
        "image/png": {},
    }
    against = document({"/things": {"get": {"responses": {"200": {"description": "", "content": content}}}}})
    assert found(against, response(1, content_type="application/problem+json")) == []
    assert found(against, response(1, content_type="application/json")) == [("body", "body", "type")]
    assert found(against, response(raw=b"four", content_type="text/csv")) == [("body", "body", "maxLength")]
    assert found(against, response(raw=b"\x89PNG", content_type="image/png")) == []
    assert found(against, response(raw=b"", content_type="image/gif"))[0][0] == "content-type"


def test_an_undocumented_body_may_be_anything() -> None:
    against = document({"/things": {"get": {"responses": {"204": {"description": ""}}}}})
    assert found(against, response(raw=b"anything", content_type="text/odd", status=204)) == []


@pytest.mark.parametrize(
    ("schema", "value", "rule"),
    [
        ({"type": "integer"}, "3", None),
        ({"type": "integer"}, "three", "type"),
        ({"type": "integer", "maximum": 2}, "3", "type"),
        ({"type": "string"}, "3", None),
        ({"type": "boolean"}, "true", None),
        ({"type": "array", "items": {"type": "integer"}}, "1, 2", None),
        ({"type": "array", "items": {"type": "integer"}}, "1, x", "type"),
        ({"type": "string", "enum": ["a"]}, "b", "enum"),
    ],
)
def test_headers_are_read_as_their_schema_means_them(schema: Any, value: str, rule: str | None) -> None:
    against = promising({}, headers={"X-Left": {"required": True, "schema": schema}})
    breaches = found(against, response({}, headers={"x-left": value}))
    assert [(check, path) for check, path, _ in breaches] == ([("headers", "header X-Left")] if rule else [])


def test_media_types_that_differ_in_parameters_are_told_apart() -> None:
    content = {f"application/json; v={v}": {"schema": {"type": kind}} for v, kind in ((1, "integer"), (2, "string"))}
    against = document({"/things": {"get": {"responses": {"200": {"description": "", "content": content}}}}})
    assert found(against, response(1, content_type="application/json; v=1")) == []
    assert found(against, response("a", content_type='Application/JSON;charset=utf-8;V="2"')) == []
    assert found(against, response(1, content_type="application/json; v=2")) == [("body", "body", "type")]
    for other in ("application/json; v=3", "application/json"):
        assert found(against, response(1, content_type=other))[0][0] == "content-type"


@pytest.mark.parametrize("content_type", ["application/json; title=ü", "application/jsön"])
def test_a_content_type_may_have_any_characters(content_type: str) -> None:
    breaches = found(promising({"type": "integer"}), response("a", content_type=content_type))
    assert [check for check, *_ in breaches] == (["body"] if ";" in content_type else ["content-type"])


@pytest.mark.parametrize("value", ["[" * 30_000, "[" * 500 + "]" * 500, "9" * 5000, "1e400"])
@pytest.mark.parametrize("how", ["schema", "json"])
def test_an_odd_header_does_not_hide_what_is_wrong_with_the_body(value: str, how: str) -> None:
    schema = {"type": "boolean"}
    promise = {"schema": schema} if how == "schema" else {"content": {"application/json": {"schema": schema}}}
    breaches = found(
        promising({"type": "integer"}, headers={"X-Odd": promise}), response("a", headers={"X-Odd": value})
    )
    assert [check for check, *_ in breaches] == ["headers", "body"]


def test_a_header_that_is_required_is_missed() -> None:
    headers = {"X-Must": {"required": True}, "X-May": {}, "Content-Type": {"required": True, "schema": {"enum": ["x"]}}}
    assert found(promising({}, headers=headers), response({})) == [("headers", "header X-Must", "required")]


def test_values_are_shown_short_and_without_secrets() -> None:
    schema = {
        "type": "object",
        "properties": {"api_key": {"type": "integer"}, "note": {"type": "integer"}, "list": {"type": "integer"}},
    }
    body = {"api_key": "abc123", "note": "Bearer geheim123", "list": ["x"] * 1000}
    values = {one.path: one.value for one in checked(promising(schema), response(body)).breaches}
    assert values["body.api_key"] == REDACTED
    assert "geheim" not in values["body.note"]
    assert len(values["body.list"]) == 80


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=(a+)+b)(a|aa)+$", r"^(a|a?)+$", r"(?!x)(a+)+\1b"])
def test_a_catastrophic_pattern_takes_only_a_moment(pattern: str) -> None:
    contract = Contract(promising({"type": "string", "pattern": pattern}))
    began_s = time.process_time()
    for _ in range(5):
        contract.check(response("a" * 50_000 + "!"))
    assert time.process_time() - began_s < 5


def test_a_pattern_that_takes_too_long_is_not_a_breach() -> None:
    against = promising({"type": "string", "pattern": r"^((a|aa)+)\1b$"})
    judged = checked(against, response("a" * 2000 + "!"))
    assert (judged.breaches, judged.skipped) == ([], "pattern")


@pytest.mark.parametrize("raw", [b'{"a": NaN}', b"[Infinity]", b"[-1e400]"])
def test_nan_and_infinity_are_not_json(raw: bytes) -> None:
    assert found(promising({}), response(raw=raw)) == [("body", "body", "json")]


def test_a_list_of_wrong_items_is_not_reported_item_by_item() -> None:
    against = promising({"type": "array", "items": {"type": "integer"}})
    assert 1 <= len(checked(against, response(["x"] * 10_000)).breaches) <= 20


def test_the_key_that_a_response_was_checked_by_is_known() -> None:
    against: Document = document({"/things": {"get": {"responses": {"4XX": {"description": ""}}}}})
    judged = checked(against, response({}, status=404))
    assert (str(judged.operation), judged.documented, judged.media_type) == ("GET /things", "4XX", "application/json")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "is_of_target"),
    [
        ("http://127.0.0.1:8000/a", True),
        ("http://localhost:8000/a", True),
        ("http://[::1]:8000", True),
        ("http://127.0.0.1:8001/a", False),
        ("http://127.0.0.1/a", False),
        ("https://shop.example/a", True),
        ("https://SHOP.example:443/a", True),
        ("http://shop.example/a", False),
        ("https://other.example/a", False),
        ("/a", False),
    ],
)
def test_only_the_target_has_promised_anything(url: str, is_of_target: bool) -> None:
    contract = Contract(promising({}), origins=["http://127.0.0.1:8000/", "https://shop.example/api"])
    assert contract.is_of_target(response({})._replace(url=url)) == is_of_target
    assert Contract(promising({})).is_of_target(response({})._replace(url=url))
