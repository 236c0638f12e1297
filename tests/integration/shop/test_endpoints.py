"""What each endpoint returns, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from harness.shop.database import Database
from harness.shop.seed import seed
from harness.shop.tables import Product
from tests.integration.shop.buyer import Buyer, get, metric
from tests.support.postgresql import PostgreSQL
from tests.support.shop_process import start_shop


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        env = {"SHOP_DATA_DIR": str(tmp_path_factory.mktemp("shop") / "made by the shop")}
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        env = {"SHOP_DATABASE_URL": server.new_database()}
    with start_shop(env) as running:
        yield running.url


@pytest.fixture
def buyer(shop: str) -> Iterator[Buyer]:
    with Buyer(shop) as someone:
        yield someone


@pytest.mark.slow
def test_the_list_goes_through_all_products_page_by_page(shop: str) -> None:
    first = get(shop, "/products")
    assert (first["page"], first["pages"], first["total"]) == (1, 150, 3000)
    assert [item["id"] for item in first["items"]] == list(range(1, 21))
    assert set(first["items"][0]) == {"id", "name", "price_cents", "stock"}

    assert [item["id"] for item in get(shop, "/products?page=31&size=97")["items"]] == list(range(2911, 3001))
    assert get(shop, "/products?page=151")["items"] == []


def test_a_product_is_the_same_alone_as_in_the_list(shop: str) -> None:
    assert get(shop, "/products/3") == get(shop, "/products?size=3")["items"][2]


def test_search_finds_products_by_the_beginnings_of_all_words(shop: str) -> None:
    everything = [item for page in range(1, 31) for item in get(shop, f"/products?page={page}&size=100")["items"]]
    expected = [
        item
        for item in everything
        if any(w.startswith("la") for w in item["name"].lower().split()) and "Oak" in item["name"].split()
    ]
    assert len(expected) > 1

    found = get(shop, "/search?q=OAK+la")

    assert found["total"] == len(expected)
    assert found["items"] == expected[:20]


def test_search_shows_twenty_hits_of_all_it_counts(shop: str) -> None:
    found = get(shop, "/search?q=oak")

    assert len(found["items"]) == 20 < found["total"]


@pytest.mark.parametrize("query", ["", "%25", "_", "xyzzy", "'; drop table shop_products --"])
def test_search_finds_nothing_for_what_is_in_no_name(shop: str, query: str) -> None:
    assert get(shop, f"/search?q={query}") == {"items": [], "total": 0}


def test_a_cart_adds_up_and_becomes_an_order(shop: str, buyer: Buyer) -> None:
    lamp, mug = get(shop, "/products/11"), get(shop, "/products/12")
    buyer.add(12, 3)
    buyer.add(11, 1)
    cart = buyer.add(11, 1)
    total = 2 * lamp["price_cents"] + 3 * mug["price_cents"]
    lines = [
        {"product_id": 11, "name": lamp["name"], "quantity": 2, "price_cents": lamp["price_cents"]},
        {"product_id": 12, "name": mug["name"], "quantity": 3, "price_cents": mug["price_cents"]},
    ]
    assert cart == buyer.http.get("/cart").json() == {"items": lines, "total_cents": total}

    response = buyer.check_out()

    assert response.status_code == 201
    order = response.json()
    assert order == {"order_id": order["order_id"], "total_cents": total, "status": "paid"}
    assert buyer.http.get(f"/orders/{order['order_id']}").json() == {**order, "items": lines}
    assert buyer.http.get("/cart").json() == {"items": [], "total_cents": 0}
    assert get(shop, "/products/11")["stock"] == lamp["stock"] - 2


def test_an_order_is_its_buyers_alone(shop: str, buyer: Buyer) -> None:
    order = buyer.buy(20).json()["order_id"]

    with Buyer(shop, "bob") as other:
        assert other.http.get(f"/orders/{order}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("POST", "/checkout", 400, "empty_cart"),
        ("GET", "/products/3001", 404, "not_found"),
        ("GET", "/orders/999999", 404, "not_found"),
        ("GET", "/nothing/here", 404, "not_found"),
    ],
)
def test_expected_refusals_name_their_reason(buyer: Buyer, method: str, path: str, status: int, error: str) -> None:
    response = buyer.http.request(method, path)

    assert (response.status_code, response.json()) == (status, {"error": error})


@pytest.mark.parametrize(("method", "path"), [("GET", "/cart"), ("POST", "/checkout"), ("GET", "/orders/1")])
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}])
def test_nothing_of_a_buyers_without_a_token(shop: str, method: str, path: str, header: dict[str, str]) -> None:
    response = httpx.request(method, shop + path, headers=header, trust_env=False)

    assert (response.status_code, response.json()) == (401, {"error": "not_logged_in"})


@pytest.mark.parametrize("body", [{}, {"product_id": 1, "quantity": 0}, {"product_id": 0}, {"product_id": "one"}])
def test_a_cart_takes_only_what_can_be_bought(buyer: Buyer, body: dict[str, object]) -> None:
    assert buyer.http.post("/cart", json=body).status_code == 422


def test_a_product_that_does_not_exist_goes_in_no_cart(buyer: Buyer) -> None:
    assert buyer.http.post("/cart", json={"product_id": 9999}).status_code == 404


def test_metrics_count_requests_pool_and_cache(shop: str) -> None:
    hits, misses = metric(shop, "shop_cache_hits_total"), metric(shop, "shop_cache_misses_total")
    get(shop, "/products/2001")
    get(shop, "/products/2001")

    text = httpx.get(f"{shop}/metrics", trust_env=False, verify=False).text

    assert 'shop_requests_total{method="GET",route="/products/{product_id}",status="200"}' in text
    assert 'shop_request_duration_seconds_count{method="GET",route="/products/{product_id}"}' in text
    assert metric(shop, "shop_cache_misses_total") == misses + 1
    assert metric(shop, "shop_cache_hits_total") == hits + 1
    assert metric(shop, "shop_db_pool_size") == 20
    assert metric(shop, "shop_db_pool_in_use") == metric(shop, "shop_db_pool_waiting") == 0


def test_the_same_seed_gives_the_same_shop_on_either_database(shop: str, tmp_path: Path) -> None:
    names = [_names(Database.open(f"sqlite:///{tmp_path / name}"), number) for name, number in (("a", 1), ("b", 2))]

    assert [item["name"] for item in get(shop, "/products?page=30&size=100")["items"]] == names[0][-100:]
    assert names[0] != names[1]


def _names(database: Database, number: int) -> list[str]:
    with closing(database):
        seed(database, products=3000, stock=1, seed=number)
        with database.read() as connection:
            return list(connection.execute(select(Product.name).order_by(Product.id)).scalars())
