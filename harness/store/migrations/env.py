"""How Alembic runs the store's migrations: on the connection, and in the transaction, of ``harness.store.upgrade``."""

from alembic import context

from harness.store.tables import Base
from harness.store.upgrade import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
