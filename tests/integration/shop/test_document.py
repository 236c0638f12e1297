"""The shop keeps what its own OpenAPI document says, in all that its buyers do."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from harness.contracts.checks import Contract
from harness.contracts.document import read_document
from harness.record.sampled_responses import SampledResponse
from tests.integration.shop.buyer import Buyer
from tests.support.shop_process import start_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with start_shop({"SHOP_DATA_DIR": str(tmp_path_factory.mktemp("shop"))}) as running:
        yield running.url


def sampled(response: httpx.Response) -> SampledResponse:
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in response.headers.items()), "", ""]
    request = response.request
    text = "\r\n".join(lines).encode()
    return SampledResponse(0, 0, request.method, str(request.url), response.status_code, text, response.content)


@pytest.mark.slow
def test_what_buyers_get_is_what_the_document_says(shop: str) -> None:
    content = httpx.get(f"{shop}/openapi.json", trust_env=False).content
    contract = Contract(read_document(content, "openapi.json"))
    with Buyer(shop) as buyer:
        client = buyer.http
        got = [
            client.post("/login", json={"user": "bob"}),
            client.post("/login", json={}),
            client.get("/products"),
            client.get("/products?size=101"),
            client.get("/products/1"),
            client.get("/products/9999"),
            client.get("/search?q=oak"),
            client.post("/cart", json={"product_id": 3, "quantity": 2}),
            client.post("/cart", json={"product_id": 9999}),
            client.get("/cart"),
            client.post("/checkout"),
            client.post("/checkout"),
            client.get("/orders/1"),
            client.get("/orders/999999"),
            client.get("/cart", headers={"Authorization": "Bearer wrong"}),
            client.get("/ledger"),
            client.get("/payments"),
            client.get("/health"),
            client.get("/served"),
        ]
    breaches = {(str(one.request.url), one.status_code): contract.check(sampled(one)).breaches for one in got}
    assert {place: found for place, found in breaches.items() if found} == {}
    seen = {(str(contract.operations.find(one.request.method, str(one.request.url))), one.status_code) for one in got}
    assert {operation for operation, _ in seen} == {str(operation) for operation in contract.operations.all}
    assert contract.check(sampled(client_get(shop, "/nothing/here"))).breaches[0].check == "operation"


def client_get(url: str, path: str) -> httpx.Response:
    return httpx.get(url + path, trust_env=False)
