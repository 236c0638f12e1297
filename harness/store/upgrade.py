"""Brings a store's tables to this harness's version: Alembic migrations, run when a store is opened.

Any number of processes may open one store at once: the first upgrades it in one transaction, the others wait and
find it done.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from harness.errors import HarnessError
from harness.store.engine import writer

VERSION_TABLE = "harness_store_version"


def upgrade(engine: Engine, shown: str) -> None:
    """Create or upgrade the tables. Raises :class:`HarnessError` where a newer harness has written them.

    ``shown`` names the store in that message.
    """
    with as_file(files("harness.store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        script = ScriptDirectory.from_config(config)
        newest = script.get_current_head()
        with engine.connect() as connection:
            if _version(connection) == newest:
                return
        with writer(engine).begin() as connection:
            found = _version(connection)
            known = {revision.revision for revision in script.walk_revisions()}
            if found is not None and found not in known:
                raise HarnessError(
                    f"a newer harness has written this store: it is of version {found}, this one knows up to {newest}",
                    where=shown,
                    hint="Upgrade this one (pip install -U harness), or name another store with HARNESS_STORE.",
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()
