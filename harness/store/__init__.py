"""The store of runs and baselines: a SQLite file beside the runs, or a team's PostgreSQL."""

from harness.store.baselines import BaselineEntry, Store
from harness.store.listing import ListedRun
from harness.store.opening import open_store
from harness.store.runs import RunEntry

__all__ = ["BaselineEntry", "ListedRun", "RunEntry", "Store", "open_store"]
