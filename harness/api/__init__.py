"""The Python API: run a scenario, read a run's result. The command line and the pytest plugin are written on it."""
