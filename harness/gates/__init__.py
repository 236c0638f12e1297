"""What each gate observed, whether it held, and the verdict: during the run and after it."""
