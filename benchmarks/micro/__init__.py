"""Benchmarks of the shop's hot functions, for ``harness bench benchmarks/micro``."""
