"""Upgrades a store's tables to this version of the harness when the store is opened, with Alembic.

Any number of processes may open one store at once: the first upgrades it in one transaction, the others wait and
find it done. Alembic is imported only to upgrade: every run opens a store, few upgrade one.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from sqlalchemy import Connection, Engine, inspect, text

from harness.errors import HarnessError
from harness.store.address import VARIABLE
from harness.store.engine import writer

VERSION_TABLE = "harness_store_version"
NEWEST = "0004"
"""The revision of the last file in ``migrations/versions``."""


def upgrade(engine: Engine, shown: str) -> None:
    """Create or upgrade the tables. Raises :class:`HarnessError` if a newer harness has written them.

    ``shown`` names the store in that message.
    """
    with engine.connect() as connection:
        if _version(connection) == NEWEST:
            return
    with writer(engine).begin() as connection:
        found = _version(connection)
        if found != NEWEST:
            _migrate(connection, found, shown)


def _version(connection: Connection) -> str | None:
    """The revision of the tables; None if there are none yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return found


def _migrate(connection: Connection, found: str | None, shown: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    with as_file(files("harness.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise HarnessError("store-newer", where=shown, found=found, newest=NEWEST, variable=VARIABLE)
        config.attributes["connection"] = connection
        command.upgrade(config, NEWEST)
