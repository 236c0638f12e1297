"""What a store holds, row by row, even where rows are damaged."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Label, Text, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from harness.store.database import Database
from harness.store.tables import BaselineRow, RunRow, WindowRow
from harness.store.windows import Key, members

_COLUMNS = (
    *(RunRow.run_id, RunRow.scenario, RunRow.profile, RunRow.fingerprint, RunRow.started_at),
    *(RunRow.verdict, RunRow.target_commit, RunRow.folder),
)


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run as ``harness runs`` lists it."""

    run_id: str
    scenario: str
    profile: str
    fingerprint: str
    started_at: datetime | None
    """None if the row's time cannot be read."""
    verdict: str
    commit: str | None
    """Of the target, or else of the scenario; None outside git, and for a run that an older harness stored."""
    baseline: Literal["pinned", "window"] | None
    """Whether later runs are compared with it, and why."""
    folder: Path


class RunListing(Database):
    """The list of a store's runs."""

    def list_runs(self, scenario: str | None = None, *, most: int | None = None) -> list[ListedRun]:
        """The ``most`` latest runs of ``scenario``, or of all, the latest first."""
        query = select(*map(_as_kept, _COLUMNS)).order_by(RunRow.started_at.desc(), RunRow.run_id.desc()).limit(most)
        if scenario is not None:
            query = query.where(RunRow.scenario == scenario)
        with self._reading() as session:
            raw = session.connection().connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.text_factory = partial(str, encoding="utf-8", errors="replace")
            rows = session.execute(query).all()
            pinned = {str(run_id) for run_id in session.scalars(select(_as_kept(BaselineRow.run_id)))}
            windows = [Key(row.scenario, row.profile, row.fingerprint) for row in session.scalars(select(WindowRow))]
            sliding = {run_id for key in windows for run_id in members(session, key)}
        return [
            ListedRun(
                run_id=str(row.run_id),
                scenario=str(row.scenario),
                profile=str(row.profile),
                fingerprint=str(row.fingerprint),
                started_at=_time(row.started_at),
                verdict=str(row.verdict),
                commit=row.target_commit and str(row.target_commit),
                baseline="pinned" if row.run_id in pinned else "window" if row.run_id in sliding else None,
                folder=self._reports / str(row.folder),
            )
            for row in rows
        ]

    def scenarios(self) -> list[str]:
        """The scenarios that the store has runs of."""
        with self._reading() as session:
            return sorted(map(str, session.scalars(select(_as_kept(RunRow.scenario)).distinct())))


def _as_kept(column: InstrumentedAttribute[Any]) -> Label[Any]:
    """The column's values, of any type: one of a wrong type would make SQLAlchemy fail for all rows."""
    return type_coerce(column, Text).label(column.key)


def _time(kept: Any) -> datetime | None:
    if isinstance(kept, str):
        try:
            kept = datetime.fromisoformat(kept)
        except ValueError:
            return None
    if not isinstance(kept, datetime):
        return None
    return kept.astimezone(UTC) if kept.tzinfo else kept.replace(tzinfo=UTC)
