"""How Alembic runs migrations: on the connection and in the transaction of ``store.opening``."""

from alembic import context

from harness.store.opening import VERSION_TABLE
from harness.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
