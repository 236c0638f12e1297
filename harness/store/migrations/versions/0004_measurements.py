"""Every run has its measurement, a baseline names runs instead of keeping their figures, copies are not tracked."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from harness.record.measurement import Measurement, of_baseline_run

revision = "0004"
down_revision = "0003"

_RUN = sa.table(
    "harness_run",
    *map(sa.column, ("run_id", "scenario", "profile", "fingerprint", "verdict", "exit_code", "folder", "summary")),
    sa.column("started_at", sa.DateTime(timezone=True)),
    sa.column("measurement"),
)
_BASELINE = sa.table(
    "harness_baseline",
    *map(sa.column, ("scenario", "profile", "fingerprint", "run_id", "run")),
    sa.column("started_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.add_column("harness_run", sa.Column("measurement", sa.Text(), nullable=True))
    op.drop_column("harness_run", "artifact")
    with op.batch_alter_table("harness_baseline") as table:
        table.alter_column("run", existing_type=sa.Text(), nullable=True)
    connection = op.get_bind()
    known = set(connection.scalars(sa.select(_RUN.c.run_id)))
    for row in connection.execute(sa.select(_BASELINE)).all():
        run = json.loads(row.run)
        if row.run_id not in known:  # the run was deleted, or its baseline was set from a folder alone
            known.add(row.run_id)
            connection.execute(_RUN.insert().values(**_catalogued(row, run["summary"])))
        measurement = Measurement.model_validate(of_baseline_run(run)).model_dump_json()
        connection.execute(_RUN.update().where(_RUN.c.run_id == row.run_id).values(measurement=measurement))


def _catalogued(row: sa.Row[Any], summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_id": row.run_id,
        "scenario": row.scenario,
        "profile": row.profile,
        "fingerprint": row.fingerprint,
        "started_at": row.started_at,
        "verdict": summary["verdict"],
        "exit_code": summary["exit_code"],
        "folder": row.run_id,
        "summary": json.dumps(summary),
    }
