"""Which runs a baseline has: those that are pinned, or else a window of the latest that were not judged worse.

A run was judged worse if it failed; one that broke or was interrupted has no figures to compare with. Inconclusive
runs belong to the window: leaving them out would leave out the noise that makes runs inconclusive, and with every
such run the window would know less than it should.

The runs since the last clear one (inconclusive, each of them) come on top of the window's own. Otherwise a change too
small for one night to tell would push out, night by night, what it has to be compared with.
"""

from __future__ import annotations

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
    run = session.get(RunRow, run_id)
    return run is not None and run_id in members(session, Key(run.scenario, run.profile, run.fingerprint))


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
        .where(or_(fit, RunRow.run_id == accepted.run_id) if accepted else fit)
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
