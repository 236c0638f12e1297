"""Which runs to remove: all but the latest of each scenario and profile, and recent failed ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

_HELD = ("pass", "inconclusive")


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run that is known from its folder, from the store, or from both."""

    run_id: str
    scenario: str
    profile: str
    started_at: datetime
    verdict: str | None
    """None if the run was killed before it was judged."""
    folders: tuple[Path, ...] = ()
    """Its folders on this machine; several if somebody copied it. All are kept or all are removed."""
    stored: bool = False
    """Whether the store has it."""

    @property
    def failed(self) -> bool:
        """Whether it did not hold: failed, broken, or killed."""
        return self.verdict not in _HELD


@dataclass(frozen=True, slots=True)
class Policy:
    """Keep the latest ``keep`` runs of each scenario and profile, and failed ones younger than ``keep_failed``."""

    keep: int
    keep_failed: timedelta = timedelta(0)


def surplus(runs: Iterable[KnownRun], policy: Policy, now: datetime) -> list[KnownRun]:
    """Those of ``runs``, each with an id of its own, that the policy does not keep, oldest first.

    Whether a run is still running, or part of a baseline, is up to the caller.
    """
    alike: dict[tuple[str, str], list[KnownRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True):
        alike[run.scenario, run.profile].append(run)
    beyond = [run for group in alike.values() for run in group[policy.keep :]]
    removable = [run for run in beyond if not (run.failed and now - run.started_at < policy.keep_failed)]
    return sorted(removable, key=lambda run: (run.started_at, run.run_id))
