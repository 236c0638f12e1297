"""Which runs a baseline has: pinned ones, or a window of the latest that were not judged worse.

A run was judged worse if it failed. A run that broke or was interrupted has no figures to compare with. Inconclusive
runs belong to the window: without them, it would lack the noise that makes runs inconclusive.

The inconclusive runs since the last conclusive one are added to the window's own. Otherwise a change that is too small
for one night to show would push out, night by night, the runs that it must be compared with.

An accepted run restarts the window. Later runs that failed before it was accepted, and only in comparison with the
past, join: they were judged by a level that no longer counts. Without them, the window would begin with the nights at
the new level that happened to be good enough not to fail.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from harness.errors import ExitCode
from harness.store.tables import AcceptedRow, BaselineRow, CalibrationRow, RunRow, WindowRow

_Keyed = type[RunRow] | type[BaselineRow] | type[WindowRow] | type[AcceptedRow] | type[CalibrationRow]


class Key(NamedTuple):
    """What a baseline belongs to."""

    scenario: str
    profile: str
    fingerprint: str


def is_of(table: _Keyed, key: Key) -> ColumnElement[bool]:
    """The rows of ``table`` that belong to ``key``."""
    columns: tuple[InstrumentedAttribute[str], ...] = (table.scenario, table.profile, table.fingerprint)
    return and_(*(column == value for column, value in zip(columns, key, strict=True)))


def members(session: Session, key: Key, *, before: datetime | None = None) -> list[str]:
    """The ids of the baseline's runs, the latest first; of a window, as it stood ``before`` that moment."""
    pinned = select(BaselineRow.run_id).where(is_of(BaselineRow, key))
    found = session.scalars(pinned.order_by(BaselineRow.started_at.desc(), BaselineRow.run_id.desc())).all()
    if found:
        return list(found)
    most = session.scalar(select(WindowRow.most).where(is_of(WindowRow, key)))
    return [] if most is None else _window(session, key, most, before)


def is_member(session: Session, run_id: str) -> bool:
    """Whether any baseline has that run."""
    if session.scalar(select(BaselineRow.run_id).filter_by(run_id=run_id).limit(1)) is not None:
        return True
    # Not the whole row, which may be damaged elsewhere.
    query = select(RunRow.scenario, RunRow.profile, RunRow.fingerprint).where(RunRow.run_id == run_id)
    run = session.execute(query).one_or_none()
    return run is not None and run_id in members(session, Key(*run))


def last_accepted(session: Session, key: Key) -> AcceptedRow | None:
    """The run that was accepted last."""
    query = select(AcceptedRow).where(is_of(AcceptedRow, key))
    return session.scalar(query.order_by(AcceptedRow.accepted_at.desc()).limit(1))


def _window(session: Session, key: Key, most: int, before: datetime | None) -> list[str]:
    accepted = last_accepted(session, key)
    fit = RunRow.exit_code.in_([ExitCode.PASS, ExitCode.INCONCLUSIVE])
    query = (
        select(RunRow.run_id, RunRow.exit_code)
        .where(is_of(RunRow, key), RunRow.measurement.is_not(None))
        .where(or_(fit, RunRow.run_id.in_(_at_the_accepted_level(session, key, accepted))) if accepted else fit)
        .order_by(RunRow.started_at.desc(), RunRow.run_id.desc())
        .limit(2 * most)
    )
    if accepted is not None:
        query = query.where(RunRow.started_at >= accepted.started_at)
    if before is not None:
        query = query.where(RunRow.started_at < before)
    rows = session.execute(query).all()
    undecided = next((at for at, row in enumerate(rows) if row.exit_code != ExitCode.INCONCLUSIVE), len(rows))
    return [row.run_id for row in rows[: min(undecided, most) + most]]


def _at_the_accepted_level(session: Session, key: Key, accepted: AcceptedRow) -> list[str]:
    """The accepted run, and those after it that failed until it was accepted, but only beside the past."""
    query = select(RunRow.run_id, RunRow.summary).where(
        is_of(RunRow, key),
        RunRow.exit_code == ExitCode.FAIL,
        RunRow.started_at > accepted.started_at,
        RunRow.started_at < accepted.accepted_at,
    )
    joining = [row.run_id for row in session.execute(query) if _failed_beside_the_past(row.summary)]
    return [accepted.run_id, *joining]


def _failed_beside_the_past(summary: str) -> bool:
    """Whether each gate that failed compares with the baseline, or with the level before a step."""
    failed = [gate for gate in json.loads(summary).get("gates", ()) if gate["status"] == "fail"]
    return bool(failed) and all(gate.get("baseline") is not None for gate in failed)
