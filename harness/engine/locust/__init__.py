"""Every touch of Locust's internals, and nothing else."""
