"""Load and performance testing: true numbers, a verdict to trust, the cause named. See the README."""
