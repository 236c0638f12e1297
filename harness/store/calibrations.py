"""The calibrations of a store: how much runs of one build vary, by scenario, profile and environment."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from harness.record.calibration import Calibration
from harness.store.database import Database
from harness.store.tables import CalibrationRow
from harness.store.windows import Key, is_of


class Calibrations(Database):
    """One for each key: the latest."""

    def set_calibration(self, calibration: Calibration) -> None:
        """Keep it in place of an earlier one."""
        key = Key(calibration.scenario, calibration.profile, calibration.fingerprint)
        with self._writing() as session:
            session.merge(
                CalibrationRow(
                    **key._asdict(), calibrated_at=datetime.now(UTC), calibration=calibration.model_dump_json()
                )
            )

    def calibration_for(self, scenario: str, profile: str, fingerprint: str) -> Calibration | None:
        """The calibration; None if there was none."""
        key = Key(scenario, profile, fingerprint)
        with self._reading() as session:
            text = session.scalar(select(CalibrationRow.calibration).where(is_of(CalibrationRow, key)))
        return None if text is None else self._parsed(text, Calibration, "calibration", scenario)
