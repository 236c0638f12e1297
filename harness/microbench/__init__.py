"""Runs suites of pytest-benchmark: pytest as a child process, and what is inside it of ours."""
