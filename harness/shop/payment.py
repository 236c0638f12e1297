"""The payment vendor: a separate service with a configured latency and share of declined charges.

``python -m harness.shop.payment --port 0`` prints its URL once it listens. PAYMENT_LATENCY_MS and
PAYMENT_FAILURE_RATE set how it behaves; which charges are declined depends only on SHOP_SEED and their order.

A charge that comes again under its ``Idempotency-Key`` is not made again, not even after a restart with the same
``--books``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from collections.abc import Sequence
from contextlib import closing

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.shop.charges import DECLINED, PAID, VOIDED, Charges
from harness.shop.errors import ShopStartError
from harness.shop.serving import die_with_parent, listen, serve, stop_on_signals
from harness.shop.settings import PaymentSettings

_STATUS = {PAID: 200, DECLINED: 402, VOIDED: 409}


def create_vendor(settings: PaymentSettings, charges: Charges | None = None) -> Starlette:
    """The vendor. POST /charge returns 200 ``paid``, 402 ``declined`` or 409 ``voided`` after the set latency.

    POST /void undoes the charge of its key, GET /charges lists how often each order of a sale is charged.
    """
    chance = random.Random(settings.seed)
    books = charges or Charges()

    def is_paid() -> bool:
        return chance.random() >= settings.failure_rate

    async def charge(request: Request) -> Response:
        asked = await request.json()
        key = request.headers.get("idempotency-key")
        order_id, amount_cents = asked.get("order_id"), asked.get("amount_cents", 0)
        status = books.charge(key, asked.get("sale", ""), order_id, amount_cents, is_paid)
        await asyncio.sleep(settings.latency_ms / 1000)
        return JSONResponse({"status": status}, _STATUS[status])

    async def void(request: Request) -> Response:
        key = request.headers.get("idempotency-key")
        if not key:
            return JSONResponse({"error": "no_key"}, 400)
        books.void(key)
        return JSONResponse({"status": VOIDED})

    async def charged(request: Request) -> Response:
        return JSONResponse({"charges": books.of(request.query_params.get("sale", ""))})

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/charge", charge, methods=["POST"]),
            Route("/void", void, methods=["POST"]),
            Route("/charges", charged),
            Route("/health", health),
        ]
    )


def command_line() -> argparse.ArgumentParser:
    """The options of ``python -m harness.shop.payment``."""
    parser = argparse.ArgumentParser(prog="python -m harness.shop.payment", description="The shop's payment vendor.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--parent", type=int, metavar="PID", help="stop at once when this process, the parent, ends")
    parser.add_argument("--books", metavar="FILE", default=":memory:", help="keep the charges in this file")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; the exit code is 2 for a wrong setting."""
    options = command_line().parse_args(arguments)
    try:
        if options.parent is not None:
            die_with_parent(options.parent)
        stop_on_signals()
        settings = PaymentSettings.from_environment(os.environ)
        with closing(Charges(options.books)) as charges, listen(options.host, options.port) as listening:
            app = create_vendor(settings, charges)
            serve(app, listening, on_ready=lambda url: print(url, flush=True))
    except ShopStartError as error:
        print(f"payment: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
