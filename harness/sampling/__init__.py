"""Samples the target from outside while load runs: CPU, memory, processes. One file per sampler."""
