"""A store as an older harness left it: its tables, with a run and a baseline."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

import harness.store
from harness.record.measurement import Measurement
from harness.record.summary import Summary
from harness.store.address import resolve
from tests.support.baselines import make_measurement, make_summary


def make_first_store(url: str) -> None:
    """Revision 0001 at ``url``: with :func:`make_summary` 1 as a run, and :func:`make_measurement` 2 as a baseline."""
    run, summary = make_summary(1), make_summary(2)
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
                "id": summary.run_id,
                "scenario": summary.scenario,
                "profile": summary.profile,
                "at": moment,
                "run": json.dumps(as_baseline_run(make_measurement(2), summary)),
            },
        )
    engine.dispose()


def as_baseline_run(measurement: Measurement, summary: Summary) -> dict[str, Any]:
    """A baseline run as stores before revision 0004, and ``baseline.json`` of that time, have it."""
    return {
        "run_id": measurement.run_id,
        "started_at": measurement.started_at,
        "summary": summary.model_dump(mode="json", by_alias=True),
        "figures": {
            phase.name: {
                endpoint: {metric: figure.model_dump() for metric, figure in measured.figures.items()}
                for endpoint, measured in phase.endpoints.items()
            }
            for phase in measurement.phases
        },
        "profiles": {phase.name: phase.profile.model_dump() for phase in measurement.phases if phase.profile},
    }
