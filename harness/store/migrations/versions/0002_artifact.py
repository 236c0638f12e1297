"""Where the copy of a run folder is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("harness_run", sa.Column("artifact", sa.Text(), nullable=True))
