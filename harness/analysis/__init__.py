"""Pure functions of recorded data: figures, intervals, comparison, attribution, leaks."""
