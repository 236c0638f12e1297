"""Opens a store, creating its tables, or upgrading them with Alembic.

Any number of processes may open one store at once: the first upgrades it in one transaction, the others wait and
find it done. Alembic is imported only to upgrade: every run opens a store, few upgrade one.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, PrimaryKeyConstraint, String, Table, inspect, text

from harness.errors import HarnessError
from harness.messages import Option
from harness.store.address import VARIABLE, resolve
from harness.store.baselines import Store
from harness.store.database import connect, reported_errors, writer
from harness.store.tables import Base

VERSION_TABLE = "harness_store_version"
NEWEST = "0007"
"""The revision of the last file in ``migrations/versions``."""
_VERSION = Table(
    *(VERSION_TABLE, MetaData(), Column("version_num", String(32), nullable=False)),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""As Alembic makes it."""


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
        _upgrade(engine, address.shown)
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


def _upgrade(engine: Engine, shown: str) -> None:
    """Create or upgrade the tables. Raises :class:`HarnessError` if a newer harness has written them.

    ``shown`` names the store in that message.
    """
    with engine.connect() as connection:
        if _version(connection) == NEWEST:
            return
    with writer(engine).begin() as connection:
        found = _version(connection)
        if found is None:
            _create(connection)
        elif found != NEWEST:
            _migrate(connection, found, shown)


def _version(connection: Connection) -> str | None:
    """The revision of the tables; None if there are none yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return found


def _create(connection: Connection) -> None:
    """What the migrations would make step by step, for a fifth of a second of CPU in the first run of a folder."""
    for metadata in (Base.metadata, _VERSION.metadata):
        metadata.create_all(connection, checkfirst=False)
    connection.execute(_VERSION.insert().values(version_num=NEWEST))


def _migrate(connection: Connection, found: str, shown: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    with as_file(files("harness.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
        if found not in known:
            raise HarnessError("store-newer", where=shown, found=found, newest=NEWEST, variable=VARIABLE)
        config.attributes["connection"] = connection
        command.upgrade(config, NEWEST)
