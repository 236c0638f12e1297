"""The baselines of a store: sets of runs that later runs are compared with.

A baseline belongs to one scenario, one profile and one environment fingerprint: figures of another machine say
nothing about a change of code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import ColumnElement, and_, delete, func, select

from harness.record.measurement import Baseline, Measurement
from harness.store.listing import RunListing
from harness.store.runs import RunCatalogue, RunEntry
from harness.store.tables import BaselineRow, RunRow


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """A baseline without its figures; its runs' ids are in order, the latest run first."""

    scenario: str
    profile: str
    fingerprint: str
    run_ids: tuple[str, ...]
    started_at: datetime
    """When the latest of its runs started."""
    set_at: datetime
    """When the baseline was last changed."""


class Store(RunCatalogue, RunListing):
    """An open store: its runs and baselines. Opened by :func:`harness.store.open_store`, used in a ``with``.

    Each method is one transaction, safe beside other processes. Each raises :class:`HarnessError` if the database
    cannot be reached or is damaged.
    """

    def is_of_a_baseline(self, run_id: str) -> bool:
        """Whether that run is in any baseline."""
        with self._reading() as session:
            return session.scalar(select(BaselineRow.run_id).filter_by(run_id=run_id).limit(1)) is not None

    def set_baseline(self, entry: RunEntry, *, replace: bool, up_to: int | None = None) -> bool:
        """Put a run with its measurement into the baseline of its scenario, profile and environment.

        With ``replace`` it replaces the runs of that baseline; otherwise it joins them, with ``up_to`` only while they
        are fewer than that. Returns whether it is in the baseline now.
        """
        run = self._row(entry)
        key = (run.scenario, run.profile, run.fingerprint)
        row = BaselineRow(
            scenario=key[0],
            profile=key[1],
            fingerprint=key[2],
            run_id=run.run_id,
            started_at=run.started_at,
            set_at=datetime.now(UTC),
        )
        with self._writing() as session:
            if up_to is not None:
                of_it = select(func.count()).select_from(BaselineRow).where(_is_of(*key))
                if (session.scalar(of_it) or 0) >= up_to:
                    return False
            if replace:
                session.execute(delete(BaselineRow).where(_is_of(*key)))
            known = session.get(RunRow, run.run_id)
            if known is not None:
                run.folder = known.folder  # the folder that was measured may be a copy
            session.merge(run)
            session.merge(row)
        return True

    def baseline_for(self, scenario: str, profile: str, fingerprint: str) -> Baseline | None:
        """The baseline, its latest run first; None if none was set."""
        query = (
            select(BaselineRow.run_id, RunRow.measurement)
            .join(RunRow, BaselineRow.run_id == RunRow.run_id, isouter=True)
            .where(_is_of(scenario, profile, fingerprint))
            .order_by(BaselineRow.started_at.desc(), BaselineRow.run_id.desc())
        )
        with self._reading() as session:
            rows = session.execute(query).all()
        if not rows:
            return None
        runs = [self._parsed(text, Measurement, "measurement", run_id) for run_id, text in rows]
        return Baseline(scenario=scenario, profile=profile, fingerprint=fingerprint, runs=runs)

    def list_baselines(self, scenario: str | None = None, profile: str | None = None) -> list[BaselineEntry]:
        """The baselines of one scenario, one profile, or all, by scenario, profile and fingerprint."""
        wanted = {"scenario": scenario, "profile": profile}
        query = (
            select(BaselineRow)
            .filter_by(**{column: value for column, value in wanted.items() if value is not None})
            .order_by(BaselineRow.scenario, BaselineRow.profile, BaselineRow.fingerprint)
            .order_by(BaselineRow.started_at.desc(), BaselineRow.run_id.desc())
        )
        with self._reading() as session:
            rows = session.scalars(query).all()
        entries = []
        for key, group in groupby(rows, lambda row: (row.scenario, row.profile, row.fingerprint)):
            runs = list(group)
            run_ids = tuple(row.run_id for row in runs)
            entries.append(BaselineEntry(*key, run_ids, runs[0].started_at, max(row.set_at for row in runs)))
        return entries

    def remove_baseline(self, scenario: str, profile: str, fingerprint: str, run_id: str | None = None) -> list[str]:
        """Remove a baseline, or only its run ``run_id``. Returns the ids of the removed runs."""
        query = delete(BaselineRow).where(_is_of(scenario, profile, fingerprint)).returning(BaselineRow.run_id)
        if run_id is not None:
            query = query.where(BaselineRow.run_id == run_id)
        with self._writing() as session:
            return sorted(session.scalars(query).all(), reverse=True)


def _is_of(scenario: str, profile: str, fingerprint: str) -> ColumnElement[bool]:
    return and_(
        BaselineRow.scenario == scenario, BaselineRow.profile == profile, BaselineRow.fingerprint == fingerprint
    )
