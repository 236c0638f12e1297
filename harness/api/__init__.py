"""The Python API: run a scenario, read a run's result. ``harness run``, ``gate`` and ``report`` and
the pytest plugin are written on it; other commands (``baseline``, ``bench``, ``prune``, …) have no counterpart here.
"""
