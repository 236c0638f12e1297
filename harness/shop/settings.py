"""The shop's settings, read from environment variables once, at start."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.shop.defects import Defects, parse_defects
from harness.shop.errors import ShopStartError

KEEP = "keep"
_LONGEST_SALE = 200
_DIGITS = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True)
class PaymentSettings:
    """The vendor's behaviour: ``latency_ms`` before each response, ``failure_rate`` (0–1) of charges declined."""

    latency_ms: float = 2.0
    failure_rate: float = 0.0
    seed: int = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> PaymentSettings:
        """Reads PAYMENT_LATENCY_MS, PAYMENT_FAILURE_RATE and SHOP_SEED; raises `ShopStartError`."""
        return cls(
            latency_ms=_number(environment, "PAYMENT_LATENCY_MS", cls.latency_ms, maximum=600_000),
            failure_rate=_number(environment, "PAYMENT_FAILURE_RATE", cls.failure_rate, maximum=1),
            seed=_seed(environment) or cls.seed,
        )


@dataclass(frozen=True)
class ShopSettings:
    """What to serve and with what. ``seed`` is None where the shop joins a database that another one has filled."""

    database_url: str | None
    data_dir: Path | None
    cache_url: str
    payment_url: str | None
    payment_port: int | None
    """Where the built-in vendor listens. By default: any port, and no vendor where there is a `payment_url`."""
    products: int
    stock: int
    seed: int | None
    sale: str | None
    """A shop that starts again for the same sale keeps what is in the database."""
    payment: PaymentSettings
    defects: Defects

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ShopSettings:
        """Reads every ``SHOP_…`` and ``PAYMENT_…`` variable; raises `ShopStartError` on the first that is wrong."""
        data_dir = environment.get("SHOP_DATA_DIR")
        return cls(
            database_url=environment.get("SHOP_DATABASE_URL") or None,
            data_dir=Path(data_dir) if data_dir else None,
            cache_url=environment.get("SHOP_CACHE_URL") or "memory://",
            payment_url=_payment_url(environment),
            payment_port=_whole(environment, "PAYMENT_PORT", 0, minimum=0, maximum=65_535) or None,
            products=_whole(environment, "SHOP_PRODUCTS", 3000, minimum=1, maximum=1_000_000),
            stock=_whole(environment, "SHOP_STOCK", 100_000, minimum=0, maximum=1_000_000_000),
            seed=_seed(environment),
            sale=environment.get("SHOP_SALE", "")[:_LONGEST_SALE] or None,
            payment=PaymentSettings.from_environment(environment),
            defects=parse_defects(environment.get("SHOP_DEFECTS", "")),
        )


def _payment_url(environment: Mapping[str, str]) -> str | None:
    url = environment.get("SHOP_PAYMENT_URL") or None
    if url is not None and not url.startswith(("http://", "https://")):
        raise ShopStartError(f"SHOP_PAYMENT_URL: {url!r} does not begin with http:// or https://")
    return url


def _seed(environment: Mapping[str, str]) -> int | None:
    if environment.get("SHOP_SEED") == KEEP:
        return None
    return _whole(environment, "SHOP_SEED", 1, minimum=0, maximum=2**63 - 1, or_else=f", or {KEEP!r}")


def _whole(
    environment: Mapping[str, str], name: str, default: int, *, minimum: int, maximum: int, or_else: str = ""
) -> int:
    text = environment.get(name) or str(default)
    if not (_DIGITS.fullmatch(text) and minimum <= int(text) <= maximum):
        raise ShopStartError(f"{name}: {text!r} is not a whole number from {minimum} to {maximum}{or_else}")
    return int(text)


def _number(environment: Mapping[str, str], name: str, default: float, *, maximum: float) -> float:
    text = environment.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= maximum:
        raise ShopStartError(f"{name}: {text!r} is not a number from 0 to {maximum:g}")
    return value
