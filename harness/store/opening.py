"""Opens a store, creating or upgrading its tables."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.messages import Option
from harness.store.address import VARIABLE, resolve
from harness.store.baselines import Store
from harness.store.engine import connect, reported_errors
from harness.store.upgrade import upgrade


def open_store(url: str | None, reports: Path) -> Store:
    """Open the store, creating or upgrading its tables.

    ``url`` is a SQLAlchemy URL of SQLite or PostgreSQL. If it is None, the store is ``HARNESS_STORE``, or else
    ``store.sqlite`` in ``reports``, the folder of the runs, which is created if it does not exist.

    Raises :class:`HarnessError` if the URL is wrong, the driver is missing, the file is damaged, the server does not
    respond, or a newer harness wrote the store.
    """
    address = resolve(url, reports)
    if address.file is not None:
        _need_folder(address.file.parent, make=address.file.parent == reports)
    engine = connect(address)
    with reported_errors(address):
        upgrade(engine, address.shown)
    return Store(engine, address, reports)


def _need_folder(folder: Path, *, make: bool) -> None:
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(
            "store-folder-not-made", where=str(folder), error=error.strerror or error, option=Option("out", "DIR")
        ) from error
    if not folder.is_dir():
        raise HarnessError("store-folder-missing", where=str(folder), variable=VARIABLE)
