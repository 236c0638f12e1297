"""The payment vendor: a separate service with a configured latency and share of declined charges.

``python -m harness.shop.payment --port 0`` prints its URL once it listens. PAYMENT_LATENCY_MS and
PAYMENT_FAILURE_RATE set how it behaves; which charges are declined depends only on SHOP_SEED and their order.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from harness.shop.errors import ShopStartError
from harness.shop.serving import die_with_parent, listen, serve, stop_on_signals
from harness.shop.settings import PaymentSettings


def create_vendor(settings: PaymentSettings) -> Starlette:
    """The vendor: POST /charge returns 200 ``paid`` or 402 ``declined`` after the set latency; GET /health at once."""
    chance = random.Random(settings.seed)

    async def charge(_: Request) -> JSONResponse:
        declined = chance.random() < settings.failure_rate
        await asyncio.sleep(settings.latency_ms / 1000)
        return JSONResponse({"status": "declined"}, 402) if declined else JSONResponse({"status": "paid"})

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route("/charge", charge, methods=["POST"]), Route("/health", health)])


def command_line() -> argparse.ArgumentParser:
    """The options of ``python -m harness.shop.payment``."""
    parser = argparse.ArgumentParser(prog="python -m harness.shop.payment", description="The shop's payment vendor.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--parent", type=int, metavar="PID", help="stop at once when this process, the parent, ends")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; the exit code is 2 for a wrong setting."""
    options = command_line().parse_args(arguments)
    try:
        if options.parent is not None:
            die_with_parent(options.parent)
        stop_on_signals()
        app = create_vendor(PaymentSettings.from_environment(os.environ))
        with listen(options.host, options.port) as listening:
            serve(app, listening, on_ready=lambda url: print(url, flush=True))
    except ShopStartError as error:
        print(f"payment: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
