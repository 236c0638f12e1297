"""A misspelt defect or setting is refused in one line that says what would be right."""

from __future__ import annotations

import pytest

from harness.shop.defects import KINDS, Defects, parse_defects
from harness.shop.errors import ShopStartError
from harness.shop.settings import PaymentSettings, ShopSettings


def test_no_defect_is_on_unless_asked_for() -> None:
    assert parse_defects("") == parse_defects("  ") == Defects()
    assert str(Defects()) == "none"


def test_every_defect_can_be_switched_on_by_its_name_alone() -> None:
    defects = parse_defects(",".join(KINDS))

    assert vars(defects) == {name: kind.default for name, kind in KINDS.items()}
    assert all(vars(defects).values())


def test_a_value_follows_the_name() -> None:
    defects = parse_defects("slow_search:3, cache_off")

    assert defects == Defects(slow_search=3, cache_off=1)
    assert str(defects) == "slow_search:3, cache_off"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("slow_serch", "no defect is called 'slow_serch'; did you mean slow_search?"),
        ("zzz", "known: slow_search, n_plus_one"),
        ("leak:0", "'leak:0': the value is a whole number from 1 to 1024 (KiB for each request)"),
        ("leak:", "'leak:'"),
        ("leak:-1", "'leak:-1'"),
        ("leak:1.5", "'leak:1.5'"),
        ("leak:²", "'leak:²'"),
        ("small_pool:99999", "from 1 to 1000 (connections)"),
        ("oversell:2", "'oversell:2': this defect is on or off and takes no value"),
        ("leak,leak:3", "leak is given twice"),
        ("leak,,oversell", "no defect is called ''"),
        ("leak,", "no defect is called ''"),
    ],
)
def test_an_unknown_defect_is_rejected(text: str, says: str) -> None:
    with pytest.raises(ShopStartError) as refused:
        parse_defects(text)

    assert str(refused.value).startswith("SHOP_DEFECTS: ")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_everything_has_a_default() -> None:
    settings = ShopSettings.from_environment({})

    assert (settings.products, settings.stock, settings.seed) == (3000, 100_000, 1)
    assert (settings.database_url, settings.data_dir, settings.payment_url) == (None, None, None)
    assert settings.cache_url == "memory://"
    assert settings.payment == PaymentSettings(latency_ms=2, failure_rate=0, seed=1)


def test_a_variable_that_is_empty_is_one_that_is_not_set() -> None:
    names = (
        "SHOP_SALE",
        "PAYMENT_PORT",
        "SHOP_PRODUCTS",
        "SHOP_CACHE_URL",
        "SHOP_DATABASE_URL",
        "SHOP_DATA_DIR",
        "SHOP_DEFECTS",
        "SHOP_SEED",
    )

    assert ShopSettings.from_environment(dict.fromkeys(names, "")) == ShopSettings.from_environment({})


def test_a_shop_may_join_a_database_that_another_one_filled() -> None:
    assert ShopSettings.from_environment({"SHOP_SEED": "keep"}).seed is None


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("SHOP_PRODUCTS", "0", "a whole number from 1 to 1000000"),
        ("SHOP_PRODUCTS", "many", "a whole number"),
        ("SHOP_PRODUCTS", "9" * 5000, "a whole number"),
        ("SHOP_STOCK", "-1", "a whole number from 0"),
        ("SHOP_SEED", "kep", "or 'keep'"),
        ("PAYMENT_PORT", "65536", "a whole number from 0 to 65535"),
        ("PAYMENT_LATENCY_MS", "fast", "a number from 0"),
        ("PAYMENT_FAILURE_RATE", "1.1", "a number from 0 to 1"),
        ("PAYMENT_FAILURE_RATE", "nan", "a number from 0 to 1"),
    ],
)
def test_a_setting_that_is_wrong_is_named_with_what_is_right(name: str, value: str, right: str) -> None:
    with pytest.raises(ShopStartError) as refused:
        ShopSettings.from_environment({name: value})

    assert str(refused.value).startswith(f"{name}: {value!r} is not ")
    assert right in str(refused.value)


def test_a_vendor_is_reached_by_http_only() -> None:
    with pytest.raises(ShopStartError, match=r"SHOP_PAYMENT_URL: 'localhost:80' does not begin with http://"):
        ShopSettings.from_environment({"SHOP_PAYMENT_URL": "localhost:80"})
