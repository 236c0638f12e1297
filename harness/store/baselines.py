"""The baselines of a store: sets of runs that later runs are compared with.

A baseline belongs to one scenario, one profile and one environment fingerprint: figures of another machine say
nothing about a change of code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from harness.errors import ExitCode
from harness.record.measurement import Accepted, Baseline, Measurement, UndecidedGate
from harness.record.summary import Summary
from harness.store.calibrations import Calibrations
from harness.store.listing import RunListing
from harness.store.past_runs import PastRuns
from harness.store.runs import RunCatalogue, RunEntry
from harness.store.tables import AcceptedRow, BaselineRow, RunRow, WindowRow
from harness.store.windows import Key, is_of, last_accepted, members


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """A baseline without its figures; its runs' ids are in order, the latest run first."""

    scenario: str
    profile: str
    fingerprint: str
    run_ids: tuple[str, ...]
    started_at: datetime | None
    """When the latest of its runs started; None if a window has none yet."""
    set_at: datetime
    """When the baseline was last changed by a command."""
    window: int | None = None
    """How many runs it holds at most if it slides; None if its runs are pinned."""


class Store(RunCatalogue, RunListing, PastRuns, Calibrations):
    """An open store: its runs and baselines. Opened by :func:`harness.store.open_store`, used in a ``with``.

    Each method is one transaction, safe beside other processes. Each raises :class:`HarnessError` if the database
    cannot be reached or is damaged.
    """

    def set_baseline(self, entry: RunEntry, *, replace: bool, up_to: int | None = None) -> bool:
        """Pin a run with its measurement as baseline of its scenario, profile and environment.

        With ``replace`` it replaces the runs that are pinned; otherwise it joins them, with ``up_to`` only while they
        are fewer than that. Returns whether it is in the baseline now.
        """
        run = self._row(entry)
        key = _key(run)
        pinned = BaselineRow(
            **key._asdict(), run_id=run.run_id, started_at=run.started_at, set_at=datetime.now(UTC)
        )  # fmt: skip
        with self._writing() as session:
            if up_to is not None:
                of_it = select(func.count()).select_from(BaselineRow).where(is_of(BaselineRow, key))
                if (session.scalar(of_it) or 0) >= up_to:
                    return False
            if replace:
                session.execute(delete(BaselineRow).where(is_of(BaselineRow, key)))
            self._put(session, run)
            session.merge(pinned)
        return True

    def set_window(self, entry: RunEntry, most: int) -> None:
        """Let the baseline of a run's scenario, profile and environment slide: ``most`` runs. Pinned runs stay."""
        run = self._row(entry)
        with self._writing() as session:
            self._put(session, run)
            session.merge(WindowRow(**_key(run)._asdict(), most=most, set_at=datetime.now(UTC)))

    def accept(self, entry: RunEntry, why: str, *, most: int) -> None:
        """Begin the baseline of a run's scenario, profile and environment anew with this run.

        Earlier runs no longer count, pinned ones neither. If it was no window before, it has ``most`` runs from now on.
        """
        run = self._row(entry)
        key, now = _key(run), datetime.now(UTC)
        with self._writing() as session:
            self._put(session, run)
            session.execute(delete(BaselineRow).where(is_of(BaselineRow, key)))
            if session.scalar(select(WindowRow).where(is_of(WindowRow, key))) is None:
                session.add(WindowRow(**key._asdict(), most=most, set_at=now))
            session.merge(
                AcceptedRow(**key._asdict(), run_id=run.run_id, started_at=run.started_at, accepted_at=now, why=why)
            )

    def baseline_for(
        self, scenario: str, profile: str, fingerprint: str, *, before: datetime | None = None
    ) -> Baseline | None:
        """The baseline, its latest run first; None if none was set, or a window has no run yet.

        A window is as it stood ``before`` that moment.
        """
        key = Key(scenario, profile, fingerprint)
        with self._reading() as session:
            ids = members(session, key, before=before)
            query = select(RunRow.run_id, RunRow.measurement, RunRow.exit_code, RunRow.summary)
            rows = {row.run_id: row for row in session.execute(query.where(RunRow.run_id.in_(ids)))}
            window = _window_of(session, key)
            accepted = last_accepted(session, key)
        if not ids:
            return None
        return Baseline(
            **key._asdict(),
            runs=[
                self._parsed(rows[run_id].measurement if run_id in rows else None, Measurement, "measurement", run_id)
                for run_id in ids
            ],
            undecided={
                run_id: _undecided(self._parsed(rows[run_id].summary, Summary, "summary", run_id))
                for run_id in takewhile(lambda run_id: rows[run_id].exit_code == ExitCode.INCONCLUSIVE, ids)
            },
            window=window,
            calibration=self.calibration_for(*key),
            accepted=accepted
            and Accepted(run_id=accepted.run_id, accepted_at=accepted.accepted_at.isoformat(), why=accepted.why),
        )

    def list_baselines(self, scenario: str | None = None, profile: str | None = None) -> list[BaselineEntry]:
        """The baselines of one scenario, one profile, or all, by scenario, profile and fingerprint."""
        wanted = {
            column: value for column, value in {"scenario": scenario, "profile": profile}.items() if value is not None
        }
        with self._reading() as session:
            rows = [
                *session.scalars(select(BaselineRow).filter_by(**wanted)),
                *session.scalars(select(WindowRow).filter_by(**wanted)),
            ]
            return [_entry(session, key, rows) for key in sorted({_key(row) for row in rows})]

    def remove_baseline(self, scenario: str, profile: str, fingerprint: str, run_id: str | None = None) -> list[str]:
        """Remove the pinned runs of a baseline, or only ``run_id`` of them; where none is pinned, remove its window.

        Returns the ids of the runs that the baseline no longer has.
        """
        key = Key(scenario, profile, fingerprint)
        query = delete(BaselineRow).where(is_of(BaselineRow, key)).returning(BaselineRow.run_id)
        if run_id is not None:
            query = query.where(BaselineRow.run_id == run_id)
        with self._writing() as session:
            had = members(session, key)
            removed = list(session.scalars(query))
            if not removed and run_id is None:
                removed = had
                session.execute(delete(WindowRow).where(is_of(WindowRow, key)))
            return sorted(removed, reverse=True)

    def _put(self, session: Session, run: RunRow) -> None:
        known = session.get(RunRow, run.run_id)
        if known is not None:
            run.folder = known.folder  # the folder that was measured may be a copy
        session.merge(run)


def _key(row: RunRow | BaselineRow | WindowRow) -> Key:
    return Key(row.scenario, row.profile, row.fingerprint)


def _undecided(summary: Summary) -> list[UndecidedGate]:
    return [
        UndecidedGate(require=gate.require, phase=gate.phase, endpoint=gate.endpoint)
        for gate in summary.gates
        if gate.status == "inconclusive" and gate.baseline is not None
    ]


def _window_of(session: Session, key: Key) -> int | None:
    """The size of the window; None where runs are pinned."""
    pinned = select(BaselineRow.run_id).where(is_of(BaselineRow, key)).limit(1)
    if session.scalar(pinned) is not None:
        return None
    return session.scalar(select(WindowRow.most).where(is_of(WindowRow, key)))


def _entry(session: Session, key: Key, rows: Iterable[BaselineRow | WindowRow]) -> BaselineEntry:
    ids = members(session, key)
    started_at = session.scalar(select(func.max(RunRow.started_at)).where(RunRow.run_id.in_(ids)))
    return BaselineEntry(
        *key, tuple(ids), started_at, max(row.set_at for row in rows if _key(row) == key), _window_of(session, key)
    )
