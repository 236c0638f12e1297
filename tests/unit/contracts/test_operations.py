"""Which operation of a document a request means."""

from __future__ import annotations

import pytest

from harness.contracts.operations import Operations
from tests.unit.contracts.support import Json, document

_OK: Json = {"responses": {"200": {"description": ""}}}


def operations(*paths: str, base_path: str = "", servers: list[str] | None = None) -> Operations:
    more: Json = {} if servers is None else {"servers": [{"url": url} for url in servers]}
    return Operations(document({path: {"get": _OK} for path in paths}, **more), base_path)


def meant(known: Operations, path: str, method: str = "GET") -> str:
    return str(known.find(method, f"http://127.0.0.1:8000{path}") or "")


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/users/me", "GET /users/me"),
        ("/users/7", "GET /users/{id}"),
        ("/users/7/books/3", "GET /users/{id}/books/{book}"),
        ("/users/me/books/new", "GET /users/me/books/{book}"),
        ("/users/7/books/new", "GET /users/{id}/books/new"),
        ("/files/report.pdf", "GET /files/{name}.pdf"),
        ("/files/a%2Fb.pdf", "GET /files/{name}.pdf"),
        ("/caf%C3%A9", "GET /café"),
        ("/users", ""),
        ("/users/", ""),
        ("/users/7/", ""),
        ("/users/7/books/3/pages", ""),
        ("/users//books/3", ""),
        ("/USERS/7", ""),
    ],
)
def test_a_literal_is_meant_before_a_parameter(path: str, operation: str) -> None:
    known = operations(
        "/users/{id}/books/{book}",
        "/users/{id}/books/new",
        "/users/me/books/{book}",
        "/users/{id}",
        "/users/me",
        "/files/{name}.pdf",
        "/café",
    )
    assert meant(known, path) == operation


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/a-b", "GET /{x}-{y}"),
        ("/a-b-c", "GET /{x}-{y}"),
        ("/a--", "GET /{x}-{y}"),
        ("/-a-", ""),
        ("/-a", ""),
        ("/a-b.c/d-e/f", "GET /{x}-{y}/d-{z}/f"),
        ("/a-b/d-/f", ""),
        ("/v/ab", "GET /v/{x}{y}"),
        ("/v/a", ""),
        ("/q-x-x/y-z", "GET /{x}-x/y-{z}"),
    ],
)
def test_parameters_may_share_a_segment(path: str, operation: str) -> None:
    known = operations("/{x}-{y}", "/{x}-{y}/d-{z}/f", "/v/{x}{y}", "/{x}-x/y-{z}")
    assert meant(known, path) == operation


@pytest.mark.parametrize("joint", ["", "-"])
def test_a_path_of_many_parameters_takes_no_time(joint: str) -> None:
    path = joint.join(f"{{p{number}}}" for number in range(30))
    known = operations(f"/x/{path}/end", servers=[f"http://h/{path}"])
    assert meant(known, "/x/" + "-a" * 200 + "/other") == ""


def test_an_invalid_url_matches_no_operation() -> None:
    assert operations("/x").find("GET", "http://[::1/x") is None


def test_of_templates_that_match_alike_the_one_with_the_method_is_meant() -> None:
    known = Operations(document({"/a/{x}": {"get": _OK}, "/a/{y}": {"post": _OK, "get": _OK}}))
    assert meant(known, "/a/1") == "GET /a/{x}"
    assert meant(known, "/a/1", "POST") == "POST /a/{y}"
    assert meant(known, "/a/1", "post") == "POST /a/{y}"
    assert meant(known, "/a/1", "DELETE") == ""


def test_head_is_answered_where_get_is() -> None:
    known = Operations(document({"/a": {"get": _OK}, "/b": {"get": _OK, "head": _OK}}))
    assert (meant(known, "/a", "HEAD"), meant(known, "/b", "HEAD")) == ("GET /a", "HEAD /b")


@pytest.mark.parametrize(
    ("server", "path"),
    [
        ("/", "/things"),
        ("/api/v1", "/api/v1/things"),
        ("/api/v1/", "/api/v1/things"),
        ("api", "/api/things"),
        ("https://example.com", "/things"),
        ("https://example.com/api", "/api/things"),
        ("//example.com/api", "/api/things"),
        ("https://{region}.example.com:{port}/v{version}", "/v2/things"),
        ("{scheme}://example.com/{base}", "/anything/things"),
    ],
)
def test_paths_are_below_the_path_of_a_server_on_whatever_host(server: str, path: str) -> None:
    assert meant(operations("/things", servers=[server]), path) == "GET /things"


def test_a_path_of_another_base_means_nothing() -> None:
    known = operations("/things", servers=["/api/v1", "/api/v2"], base_path="/mounted")
    for base in ("/api/v1", "/api/v2", "/mounted"):
        assert meant(known, f"{base}/things") == "GET /things"
    assert meant(known, "/api/v3/things") == meant(known, "/things") == ""


def test_servers_of_a_path_come_before_those_of_the_document() -> None:
    paths = {"/a": {"servers": [{"url": "/own"}], "get": _OK}, "/b": {"get": _OK}}
    known = Operations(document(paths, servers=[{"url": "/api"}]), "/")
    assert (meant(known, "/own/a"), meant(known, "/api/a"), meant(known, "/api/b")) == ("GET /a", "", "GET /b")


@pytest.mark.parametrize(("status", "key"), [(200, "200"), (201, "2XX"), (404, "default"), (500, "5XX"), (503, "503")])
def test_a_status_is_described_by_itself_its_range_or_by_default(status: int, key: str) -> None:
    responses = {code: {"description": ""} for code in ("200", "2xx", "5XX", "503", "default")}
    known = Operations(document({"/a": {"get": {"responses": responses}}}))
    operation = known.find("GET", "http://h/a")
    assert operation is not None
    promise = operation.response(status)
    assert promise is not None
    assert promise.key == key


def test_parts_that_are_referred_to_are_read() -> None:
    shared = {
        "pathItems": {"Things": {"get": {"responses": {"200": {"$ref": "#/components/responses/Ok"}}}}},
        "responses": {
            "Ok": {"description": "", "headers": {"X-Left": {"$ref": "#/components/headers/Left"}}},
        },
        "headers": {"Left": {"required": True, "schema": {"type": "integer"}}},
    }
    known = Operations(document({"/a": {"$ref": "#/components/pathItems/Things"}}, components=shared))
    operation = known.find("GET", "http://h/a")
    assert operation is not None
    (header,) = operation.responses["200"].headers
    assert (header.name, header.required, header.schema) == ("X-Left", True, "#/components/headers/Left/schema")
