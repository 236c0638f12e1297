"""The shop's hot functions, each measured by itself: ``harness bench benchmarks/micro``."""
