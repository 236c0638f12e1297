"""Pure functions of recorded data: figures, intervals, the generator's state, leaks, attribution, timelines."""
