"""Each defect is real: switched on, the shop does what a profiler, a metric or the ledger can show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.exc import TimeoutError as PoolTimeout

from harness.shop import defective
from harness.shop.app import create_app
from harness.shop.backends import open_backends
from harness.shop.database import Database
from harness.shop.defects import parse_defects
from harness.shop.payment_client import PaymentClient
from harness.shop.seed import seed
from harness.shop.traffic import Traffic
from tests.integration.shop.buyer import Buyer, at_once, get, metric
from tests.integration.shop.vendor import held_vendor
from tests.support.children import wait_until
from tests.support.shop_process import start_shop


class ShopHere:
    """A shop in this process, whose statements are counted."""

    def __init__(self, app: Traffic) -> None:
        self._app = app
        self.statements: list[str] = []

    def response(self, path: str) -> httpx.Response:
        """The response to a GET of ``path``, whatever its status."""

        async def get() -> httpx.Response:
            shop = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=shop, base_url="http://shop", verify=False) as client:
                return await client.get(path)

        return asyncio.run(get())

    def get(self, path: str) -> Any:
        response = self.response(path)
        assert response.status_code == 200, response.text
        return response.json()

    def statements_of(self, path: str) -> list[str]:
        """What a GET of ``path`` asks the database, with the response in the cache already."""
        self.get(path)
        self.statements.clear()
        self.get(path)
        return list(self.statements)

    def metric(self, name: str) -> float:
        text = self.response("/metrics").text
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


Open = Callable[[str], ShopHere]


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Open]:
    """Makes a shop in this process with the defects it is called with."""
    database = Database.open(f"sqlite:///{tmp_path / 'shop.db'}")
    seed(database, products=100, stock=5, seed=1)
    payment = PaymentClient("http://127.0.0.1:1")
    listeners = []

    def open_(defects: str) -> ShopHere:
        app = create_app(database, open_backends("memory://", fresh=True), payment, parse_defects(defects))
        shop = ShopHere(app)

        def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            shop.statements.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        listeners.append(note)
        return shop

    yield open_
    for note in listeners:
        event.remove(database.engine, "before_cursor_execute", note)
    payment.close()
    database.close()


def test_a_healthy_shop_answers_from_the_cache(open_shop: Open) -> None:
    shop = open_shop("")

    assert [shop.statements_of(path) for path in ("/products", "/products/1", "/search?q=oak")] == [[], [], []]


def test_n_plus_one_asks_for_each_item_on_its_own(open_shop: Open) -> None:
    healthy, shop = open_shop(""), open_shop("n_plus_one:3")

    assert len(shop.statements_of("/products?size=20")) == 20 * 3
    assert len(shop.statements_of("/products/7")) == 3
    assert shop.get("/products?size=20") == healthy.get("/products?size=20")


def test_slow_search_reads_and_ranks_every_name(open_shop: Open) -> None:
    healthy, shop = open_shop(""), open_shop("slow_search:2")

    statements = shop.statements_of("/search?q=oak")
    reads_all = "SELECT shop_products.id, shop_products.name FROM shop_products ORDER"
    assert [" ".join(statement.split()).startswith(reads_all) for statement in statements] == [True, True]
    expected, found = healthy.get("/search?q=oak"), shop.get("/search?q=oak")
    names = {item["id"]: item["name"] for item in expected["items"]}
    ranks = defective.ranks_by_edit_distance("oak", names)
    assert found["total"] == expected["total"]
    assert [item["id"] for item in found["items"]] == sorted(names, key=lambda id_: ranks[id_])


def test_leak_keeps_the_stated_size_of_every_response(open_shop: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    monkeypatch.setattr(defective, "_remembered", kept)
    shop = open_shop("leak:8")

    for number in range(1, 11):
        shop.get(f"/products/{number}")

    assert [len(body) for body in kept] == [8 * 1024] * 10
    assert kept[0].startswith(shop.response("/products/1").content)


def test_with_the_cache_off_every_read_is_a_miss(open_shop: Open) -> None:
    shop = open_shop("cache_off")

    assert len(shop.statements_of("/products")) == 2
    assert len(shop.statements_of("/products/1")) == 1
    assert shop.metric("shop_cache_hits_total") == 0
    assert shop.metric("shop_cache_misses_total") == 4


def test_lock_convoy_counts_the_stock_before_every_response(open_shop: Open) -> None:
    shop = open_shop("lock_convoy:7")

    statements = shop.statements_of("/products/1")

    assert len(statements) == 7
    assert all("sum(shop_products.stock)" in statement for statement in statements)


def test_slow_serialization_changes_no_response(open_shop: Open) -> None:
    healthy, shop = open_shop(""), open_shop("slow_serialization:2")

    assert shop.response("/products").content == healthy.response("/products").content


def while_a_checkout_waits(defects: str, look: Callable[[str], dict[int, int]]) -> dict[int, int]:
    """What ``look(url)`` sees of a read that began while a checkout waits for the vendor, which waits for ``look``."""
    with held_vendor() as vendor, start_shop({"SHOP_DEFECTS": defects, "SHOP_PAYMENT_URL": vendor.url}) as shop:

        def check_out() -> None:
            assert buyer.check_out().status_code == 201

        def read() -> None:
            assert vendor.charged.wait(10)
            get(shop.url, "/products/5")

        def let_go() -> dict[int, int]:
            assert vendor.charged.wait(10)
            try:
                return look(shop.url)
            finally:
                vendor.release.set()

        with Buyer(shop.url) as buyer:
            buyer.add(1)
            seen = at_once([check_out, read, let_go])[2]
            assert seen is not None
            return seen


def reads(url: str) -> dict[int, int]:
    """How many reads of a product there were, by status (0: no response yet)."""
    requests = get(url, "/served")["requests"]
    return {entry["status"]: entry["count"] for entry in requests if entry["route"] == "/products/{product_id}"}


def after_a_while(url: str) -> dict[int, int]:
    wait_until(lambda: reads(url), what="the read's arrival")
    for _ in range(5):  # much longer than a read takes that nothing holds up
        get(url, "/health")
    return reads(url)


def once_waiting_for_a_connection(url: str) -> dict[int, int]:
    wait_until(lambda: metric(url, "shop_db_pool_waiting") == 1, what="waiting for a connection")
    assert metric(url, "shop_db_pool_size") == metric(url, "shop_db_pool_in_use") == 1
    return reads(url)


def test_lock_convoy_makes_all_wait_for_the_holder_of_the_lock() -> None:
    assert while_a_checkout_waits("lock_convoy:1", after_a_while) == {0: 1}


def test_small_pool_has_everybody_wait_for_a_connection() -> None:
    assert while_a_checkout_waits("small_pool", once_waiting_for_a_connection) == {0: 1}


def test_small_pool_refuses_what_has_waited_too_long(open_shop: Open) -> None:
    shop = open_shop("small_pool")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "take", no_connection)
        response = shop.response("/products/1")

    assert (response.status_code, response.json()) == (503, {"error": "unavailable"})
    assert shop.get("/served")["requests"] == [
        {"method": "GET", "route": "/products/{product_id}", "status": 503, "count": 1}
    ]


def no_connection(_: Database) -> None:
    raise PoolTimeout("QueuePool limit of size 1 overflow 0 reached")


@pytest.mark.slow
def test_oversell_sells_what_it_does_not_take_from_the_stock(database_url: str) -> None:
    env = {"SHOP_DATABASE_URL": database_url, "SHOP_DEFECTS": "oversell", "PAYMENT_LATENCY_MS": "20"}

    def buy() -> None:
        with Buyer(shop.url) as buyer:
            assert buyer.buy(1).status_code == 201
            assert buyer.buy(1).status_code == 201

    with start_shop(env) as shop:
        at_once([buy] * 8)
        books = get(shop.url, "/ledger")

    assert books["sold"] == 16
    assert books["left"] + books["sold"] > books["initial"]
    assert books["oversold_products"] == [1]
    assert not books["consistent"]
