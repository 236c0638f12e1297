"""A document that cannot be used is reported before any load, with its place; nothing outside it is ever read."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from harness.contracts.checks import Contract
from harness.contracts.document import document_file, read_document
from harness.errors import HarnessError, problems_of
from tests.unit.contracts.support import Json, document, found, promising, response

YAML = """
openapi: 3.0.3
info: {title: Café, version: 2026-01-01}
paths:
  /things:
    get:
      responses:
        200:
          description: no
          content:
            application/json: {schema: {type: string, enum: [no, yes, on]}}
"""


def problem(content: str | bytes) -> tuple[str, str | None]:
    """The code and the place of what is wrong with a document."""
    with pytest.raises(HarnessError) as raised:
        Contract(read_document(content.encode() if isinstance(content, str) else content, "api.yaml"))
    assert raised.value.exit_code == 2
    return raised.value.code, raised.value.where


def test_yaml_means_what_json_would() -> None:
    read = read_document(YAML.encode(), "api.yaml")
    assert (read.title, read.version, read.openapi, read.draft) == ("Café", "2026-01-01", "3.0.3", "3.0")
    responses = read.at("#/paths/~1things/get/responses")
    assert responses["200"]["content"]["application/json"]["schema"]["enum"] == ["no", "yes", "on"]


def test_yaml_may_merge_maps() -> None:
    merged = YAML.replace("description: no", "<<: &shared {description: a, x-a: 1}\n          description: b")
    read = read_document((merged + "x-b: {<<: *shared, x-a: 2}\n").encode(), "api.yaml")
    response = read.at("#/paths/~1things/get/responses/200")
    assert (response["description"], response["x-a"]) == ("b", 1)
    assert read.at("#/x-b") == {"description": "a", "x-a": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        ('{"openapi": "3.1.0",\n "paths": }', "contract-not-readable", "api.yaml:2"),
        ("openapi: 3.1.0\npaths: [", "contract-not-readable", "api.yaml:3"),
        ('{"openapi": "3.1.0", "paths": NaN}', "contract-not-readable", "api.yaml"),
        ('{"openapi": "3.1.0", "paths": {"/a": {"x": [{"b": 1, "b": 1}]}}}', "key-twice", "api.yaml: paths./a.x.0"),
        ('{"openapi": "3.1.0", "openapi": "3.1.0"}', "key-twice", "api.yaml: the document"),
        ("openapi: 3.1.0\npaths:\n  /a: {}\n  /a: {}", "key-twice", "api.yaml:4"),
        ('openapi: 3.1.0\npaths: {200: 1,\n"200": 2}', "key-twice", "api.yaml:3"),
        (
            'openapi: 3.1.0\npaths: {/a: {get: {responses: {4xx: {}, "4XX": {}}}}}',
            "key-twice",
            "api.yaml: paths./a.get.responses",
        ),
        ("just text", "contract-not-openapi", "api.yaml"),
        ("", "contract-not-openapi", "api.yaml"),
        ("[1, 2]", "contract-not-openapi", "api.yaml"),
        ('{"type": "object"}', "contract-not-openapi", "api.yaml"),
        ('{"swagger": "2.0", "paths": {}}', "contract-version-unsupported", "api.yaml: openapi"),
        ('{"openapi": "4.0.0", "paths": {}}', "contract-version-unsupported", "api.yaml: openapi"),
        (b"openapi: 3.1.0\ninfo: \xff", "contract-not-utf8", "api.yaml:2"),
        ('{"openapi": "3.0.0"}', "contract-key-missing", "api.yaml: the document"),
        ('{"openapi": "3.1.0", "paths": []}', "contract-not-a-map", "api.yaml: paths"),
        ('{"openapi": "3.1.0", "paths": {"things": {}}}', "contract-path-invalid", "api.yaml: paths.things"),
        (
            '{"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"two": {}}}}}}',
            "contract-status-invalid",
            "api.yaml: paths./a.get.responses.two",
        ),
        (
            '{"openapi": "3.1.0", "servers": "/v1", "paths": {"/a": {"get": {"responses": {}}}}}',
            "contract-servers-invalid",
            "api.yaml: servers",
        ),
        ("a: &a [*a]\nopenapi: 3.1.0", "contract-too-deep", "api.yaml"),
        ('{"openapi": "3.1.0", "a": ' + "9" * 5000 + "}", "contract-not-readable", "api.yaml"),
        ('{"openapi": "3.1.0", "a": 1e999}', "contract-not-readable", "api.yaml"),
        ('{"openapi": "3.1.0", "paths": {"/\\ud800": {}}}', "contract-not-readable", "api.yaml"),
        ("openapi: 3.1.0\na: !!binary aGk=", "contract-not-readable", "api.yaml"),
        ("openapi: 3.1.0\na: !!timestamp 2026-01-01", "contract-not-readable", "api.yaml"),
        ("openapi: 3.1.0\na: !!set {b, c}", "contract-not-readable", "api.yaml"),
        ("{" * 100_000, "contract-not-readable", "api.yaml:1"),
        ('{"openapi": "3.1.0", "a": ' + "[" * 100_000 + "]" * 100_000 + "}", "contract-too-deep", "api.yaml"),
    ],
)
def test_an_invalid_document_is_reported_with_its_place(content: str | bytes, code: str, where: str) -> None:
    assert problem(content) == (code, where)


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ("#/components/schemas/None", "contract-ref-missing"),
        ("#/paths/~1things/get/tags/0", "contract-ref-missing"),
        ("http://example.com/schema.json", "contract-ref-outside"),
        ("file:///etc/passwd", "contract-ref-outside"),
        ("other.yaml#/Thing", "contract-ref-outside"),
    ],
)
def test_a_reference_that_leads_nowhere_or_outside_is_an_error(ref: str, code: str) -> None:
    with pytest.raises(HarnessError) as raised:
        promising({"type": "object", "properties": {"a": {"$ref": ref}}})
    place = "paths./things.get.responses.200.content.application/json.schema.properties.a"
    assert (raised.value.code, raised.value.where) == (code, f"openapi.json: {place}")
    assert raised.value.params["ref"] == ref


@pytest.mark.parametrize(
    ("paths", "where"),
    [
        ({"$ref": "paths.yaml"}, "openapi.json: paths"),
        ({"/a": {"get": {"responses": {"$ref": "paths.yaml"}}}}, "openapi.json: paths./a.get.responses"),
        (
            {"/a": {"get": {"responses": {"200": {"headers": {"$ref": "paths.yaml"}}}}}},
            "openapi.json: paths./a.get.responses.200.headers",
        ),
    ],
)
def test_a_reference_in_place_of_names_is_an_error(paths: Json, where: str) -> None:
    with pytest.raises(HarnessError) as raised:
        Contract(document(paths))
    assert (raised.value.code, raised.value.where) == ("contract-ref-outside", where)


def test_an_index_of_thousands_of_digits_leads_nowhere() -> None:
    with pytest.raises(HarnessError) as raised:
        promising({"$ref": "#/servers/" + "0" * 5000})
    assert raised.value.code == "contract-ref-missing"


def test_all_references_that_lead_nowhere_are_reported_together() -> None:
    with pytest.raises(HarnessError) as raised:
        promising({"anyOf": [{"$ref": "#/a"}, {"$ref": "#/b"}, {"$ref": "http://c"}]})
    codes = sorted(problem.code for problem in problems_of(raised.value))
    assert codes == ["contract-ref-missing", "contract-ref-missing", "contract-ref-outside"]


def test_a_response_that_refers_to_itself_is_an_error() -> None:
    paths = {"/a": {"get": {"responses": {"200": {"$ref": "#/components/responses/A"}}}}}
    circle = {"A": {"$ref": "#/components/responses/B"}, "B": {"$ref": "#/components/responses/A"}}
    with pytest.raises(HarnessError) as raised:
        Contract(document(paths, components={"responses": circle}))
    assert raised.value.code == "contract-ref-circular"


@pytest.mark.parametrize("circle", [{"A": "A"}, {"A": "B", "B": "A"}, {"A": "B", "B": "C", "C": "B"}])
def test_a_schema_that_only_refers_to_itself_is_an_error(circle: dict[str, str]) -> None:
    schemas = {name: {"$ref": f"#/components/schemas/{to}"} for name, to in circle.items()}
    with pytest.raises(HarnessError) as raised:
        promising({"$ref": "#/components/schemas/A"}, components=schemas)
    assert raised.value.code == "contract-ref-circular"


@pytest.mark.parametrize("word", ["allOf", "anyOf", "oneOf"])
def test_a_schema_that_lists_itself_is_an_error(word: str) -> None:
    itself = {"$ref": "#/components/schemas/A"}
    with pytest.raises(HarnessError) as raised:
        promising(itself, components={"A": {word: [{"type": "string"}, itself]}})
    assert raised.value.code == "contract-ref-circular"


def test_schemas_that_are_all_of_each_other_are_an_error() -> None:
    schemas = {a: {"allOf": [{"$ref": f"#/components/schemas/{b}"}, {"type": "object"}]} for a, b in ("AB", "BA")}
    with pytest.raises(HarnessError) as raised:
        promising({"$ref": "#/components/schemas/A"}, components=schemas)
    assert raised.value.code == "contract-ref-circular"


def test_a_parent_that_is_one_of_its_children_is_checked() -> None:
    pet, cat, dog = ({"$ref": f"#/components/schemas/{name}"} for name in ("Pet", "Cat", "Dog"))
    schemas = {
        "Pet": {"oneOf": [cat, dog]},
        "Cat": {"allOf": [pet, {"required": ["claws"]}]},
        "Dog": {"allOf": [pet, {"required": ["bark"]}]},
    }
    against = promising(pet, components=schemas)
    assert found(against, response({"bark": 1})) == []
    assert found(against, response({})) == [("body", "body", "oneOf")]


def test_text_in_an_example_is_not_a_reference() -> None:
    schema: Json = {"type": "object", "example": {"$ref": "http://example.com"}, "default": {"$ref": "#/no"}}
    properties = {"example": {"type": "string"}, "$ref": {"type": "string"}}
    Contract(promising({**schema, "properties": properties}))
    with pytest.raises(HarnessError):  # a property that is called example is a schema
        promising({"properties": {"example": {"$ref": "#/no"}}})


@pytest.mark.parametrize(
    ("schema", "below"),
    [({"type": "strnig"}, "type"), ({"minLength": -1}, "minLength"), ({"pattern": "("}, "pattern"), ("text", "")],
)
def test_an_invalid_schema_is_an_error(schema: Json, below: str) -> None:
    with pytest.raises(HarnessError) as raised:
        Contract(promising(schema))
    place = "openapi.json: paths./things.get.responses.200.content.application/json.schema"
    assert raised.value.code == "contract-schema-invalid"
    assert str(raised.value.where).startswith(f"{place}.{below}" if below else place)


def test_aliases_of_aliases_do_not_exhaust_memory() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 20)
    )
    began_s = time.process_time()
    assert problem(bomb + "openapi: 3.1.0\n")[0] == "contract-too-many-values"
    assert time.process_time() - began_s < 60


def test_aliases_that_double_a_schema_are_counted_before_they_are_compiled() -> None:
    """Of 131,072 integers, the validator would take a gigabyte."""
    levels = "a0: &a0 {type: integer}\n" + "".join(
        f"a{n}: &a{n} {{anyOf: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 18)
    )
    assert problem(levels + "openapi: 3.1.0\n")[0] == "contract-too-many-values"


def test_a_document_of_many_megabytes_is_read() -> None:
    schemas = {
        f"S{n}": {"type": "object", "properties": {"a": {"$ref": f"#/components/schemas/S{n + 1}"}}}
        for n in range(3000)
    }
    schemas["S3000"] = {"type": "string", "description": "x" * 5_000_000}
    large = promising({"$ref": "#/components/schemas/S0"}, components=schemas)
    assert len(json.dumps(large.data)) > 5_000_000
    Contract(large)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as raised:
        document_file(tmp_path / "no.json", where="load.toml:1: contract.openapi")
    assert (raised.value.code, raised.value.where) == ("contract-file-unreadable", "load.toml:1: contract.openapi")
