"""The Python API: run a scenario or a suite of benchmarks, read a run's result. ``harness run``, ``bench``, ``gate``
and ``report``, and the pytest plugin, are written on it; others (``baseline``, ``prune``, …) have no counterpart here.
"""
