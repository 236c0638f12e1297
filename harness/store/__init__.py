"""The catalogue of runs and baselines: a SQLite file beside the runs, or a team's PostgreSQL by ``HARNESS_STORE``."""

from harness.store.catalogue import BaselineEntry, RunEntry, Store, StoredRun, open_store

__all__ = ["BaselineEntry", "RunEntry", "Store", "StoredRun", "open_store"]
