"""What each gate observed, whether it held, and the verdict."""
