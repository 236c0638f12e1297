"""A store as a harness of former days left it: its tables of then, a run and a baseline in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

import harness.store
from harness.store.address import resolve
from tests.support.baselines import make_baseline_run, make_summary


def make_first_store(url: str) -> None:
    """Revision 0001 at ``url``: with :func:`make_summary` 1 as a run, and :func:`make_baseline_run` 2 as a baseline."""
    run, baseline = make_summary(1), make_baseline_run(2)
    moment = datetime(2026, 2, 2, 9, tzinfo=UTC)
    engine = create_engine(resolve(url, Path()).url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(harness.store.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text("INSERT INTO harness_run VALUES (:id, :scenario, :profile, 'f1', :at, 'pass', 0, :id, :summary)"),
            {
                "id": run.run_id,
                "scenario": run.scenario,
                "profile": run.profile,
                "at": moment,
                "summary": run.model_dump_json(by_alias=True),
            },
        )
        connection.execute(
            text("INSERT INTO harness_baseline VALUES (:scenario, :profile, 'f1', :id, :at, :at, :run)"),
            {
                "id": baseline.run_id,
                "scenario": baseline.summary.scenario,
                "profile": baseline.summary.profile,
                "at": moment,
                "run": baseline.model_dump_json(by_alias=True),
            },
        )
    engine.dispose()
