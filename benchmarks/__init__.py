"""Benchmarks of the harness itself. See README.md in this folder."""
