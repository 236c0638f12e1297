"""The commit that a run measured."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("harness_run", sa.Column("target_commit", sa.Text(), nullable=True))
