"""Opens everything the shop needs, fills the database, serves, and cleans up."""

from __future__ import annotations

import argparse
import atexit
import fcntl
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from harness.shop.app import create_app
from harness.shop.backends import open_backends
from harness.shop.database import POOL_SIZE, Database
from harness.shop.errors import ShopStartError
from harness.shop.orders import Orders
from harness.shop.paying import Paying, Settling
from harness.shop.payment_client import PaymentClient
from harness.shop.seed import goes_on, read_sale, seed
from harness.shop.serving import PaymentProcess, listen, serve, stop_on_signals
from harness.shop.settings import ShopSettings

_TEMPORARY = "harness-shop-"
_BOOKS = "payment.db"


def command_line() -> argparse.ArgumentParser:
    """The options of ``python -m harness.shop``."""
    parser = argparse.ArgumentParser(prog="python -m harness.shop", description="The embedded target: a real shop.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0: any free port")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; the exit code is 2 for a wrong setting, reported in one line."""
    options = command_line().parse_args(arguments)
    atexit.register(gc.freeze)  # at exit, the collector need not walk all live objects
    stop_on_signals()
    try:
        run(ShopSettings.from_environment(os.environ), options.host, options.port)
    except ShopStartError as error:
        print(f"shop: {error}", file=sys.stderr)
        return 2
    return 0


def run(settings: ShopSettings, host: str, port: int) -> None:
    """Starts the shop, serves until a signal, and leaves nothing running and no temporary file behind."""
    with ExitStack() as stack:
        bound = stack.enter_context(listen(host, port))
        folder = _folder(settings.data_dir, stack)
        url = settings.database_url or f"sqlite:///{folder / 'shop.db'}"
        database = stack.enter_context(closing(Database.open(url, settings.defects.small_pool or POOL_SIZE)))
        fresh = settings.seed is not None and not goes_on(database, settings.sale)
        backends = open_backends(settings.cache_url, fresh=fresh)
        vendor = None
        if settings.payment_url is None or settings.payment_port is not None:
            vendor = PaymentProcess(settings.payment_port or 0, folder / _BOOKS, fresh=fresh)
            stack.callback(vendor.stop)
        if fresh:
            assert settings.seed is not None
            seed(
                database,
                products=settings.products,
                stock=settings.stock,
                seed=settings.seed,
                sale=settings.sale,
            )
        sale = read_sale(database).name
        database.be_impatient()
        vendor_url = vendor.url() if vendor else None
        payment_url = settings.payment_url or vendor_url
        assert payment_url is not None
        payment = stack.enter_context(closing(PaymentClient(payment_url, sale, settings.defects)))
        app = create_app(database, backends, payment, settings.defects)
        stack.enter_context(closing(Settling(Paying(Orders(database), payment))))
        serve(app, bound, on_ready=lambda at: _say(f"ready at {at}; {database}; defects: {settings.defects}"))


def temporary_folder(stack: ExitStack) -> Path:
    """A folder for this process, which locks a file in it. Those of shops that were killed are removed."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*/lock"):
        with suppress(OSError), lock.open("r+") as file:  # another user's, or a shop that runs
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=_TEMPORARY)))
    unlocked = folder / ".lock"
    fcntl.flock(stack.enter_context(unlocked.open("w")), fcntl.LOCK_EX)
    unlocked.rename(folder / "lock")
    return folder


def _folder(data_dir: Path | None, stack: ExitStack) -> Path:
    if data_dir is None:
        return temporary_folder(stack)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ShopStartError(f"SHOP_DATA_DIR: cannot make {data_dir}: {error.strerror}") from error
    return data_dir.absolute()


def _say(line: str) -> None:
    print(f"shop: {line}", file=sys.stderr, flush=True)
