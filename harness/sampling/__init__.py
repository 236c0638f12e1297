"""What is seen of the target from outside while load runs: CPU, memory, processes. One file a sampler."""
