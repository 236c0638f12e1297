"""Which runs may go: all but the latest of each scenario and profile, those of baselines, and recent failed ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

_HELD = ("pass", "inconclusive")


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run as retention sees it: from its folder, from the store, or from both."""

    run_id: str
    scenario: str
    profile: str
    started_at: datetime
    verdict: str | None
    """None where the run was never judged, for it was killed."""
    folders: tuple[Path, ...] = ()
    """Its folders on this machine: several where one was copied by hand. They stay or go together."""
    artifact: str | None = None
    """Where the copy of its folder is; None where none was made."""
    stored: bool = False
    """Whether the store has it."""

    @property
    def failed(self) -> bool:
        """Whether it did not hold: failed, broken, or killed."""
        return self.verdict not in _HELD


@dataclass(frozen=True, slots=True)
class Policy:
    """``keep`` runs of each scenario and profile stay, the latest; failed ones stay for ``keep_failed`` besides."""

    keep: int
    keep_failed: timedelta = timedelta(0)


def surplus(runs: Iterable[KnownRun], policy: Policy, now: datetime) -> list[KnownRun]:
    """Those of ``runs``, each of another id, that the policy does not keep, oldest first.

    Baselines and running runs are not its matter.
    """
    alike: dict[tuple[str, str], list[KnownRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True):
        alike[run.scenario, run.profile].append(run)
    beyond = [run for group in alike.values() for run in group[policy.keep :]]
    left = [run for run in beyond if not (run.failed and now - run.started_at < policy.keep_failed)]
    return sorted(left, key=lambda run: (run.started_at, run.run_id))
