"""Runs suites of pytest-benchmark: pytest as a child process, and the harness's plugin inside it."""
