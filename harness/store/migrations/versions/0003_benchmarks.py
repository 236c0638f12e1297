"""The benchmarks of benches, with their rounds."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "harness_benchmark",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("rounds", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "test", name="pk_harness_benchmark"),
    )
    op.create_index("ix_harness_benchmark_test_run_id", "harness_benchmark", ["test", "run_id"])
